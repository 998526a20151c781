/** `npm run bench`: see README.md. The benchmark is TypeScript; what it measures runs without any loader of its own. */

import { ensureBuilt, ensureInstalled } from '../scripts/ensure-built.mjs'

ensureInstalled()
if (!process.argv.includes('--build')) ensureBuilt()

const { register } = await import('tsx/esm/api')
register()
const { bench } = await import('./bench.ts')
process.exitCode = await bench(process.argv.slice(2))
