/** node listen.mjs APP SOCKET: lets an application of this folder listen by itself. */

import { pathToFileURL } from 'node:url'

const [app, socket] = process.argv.slice(2)
const { listen } = await import(pathToFileURL(app).href)
await listen(socket)
process.on('SIGTERM', () => process.exit(0))
