/**
 * The first module of a worker that root starts: `node become.js UID GID GROUP,GROUP... MAIN`. It gives up root, then runs
 * MAIN. spawn's own `uid` and `gid` would leave the worker without its supplementary groups.
 */

import { pathToFileURL } from 'node:url'

const [uid = '', gid = '', groups = '', main = ''] = process.argv.slice(2)

// Groups first: without root nobody may set them.
process.setgroups?.(groups.split(',').map(Number))
process.setgid?.(Number(gid))
process.setuid?.(Number(uid))
if (process.getuid?.() !== Number(uid) || process.getgid?.() !== Number(gid)) {
  throw new Error(`this worker could not become user ${uid}, group ${gid}`)
}
process.argv.splice(1, 5, main)

await import(pathToFileURL(main).href)
