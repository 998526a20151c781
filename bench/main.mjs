/** `npm run bench`: see README.md. The benchmark is TypeScript; what it measures runs without any loader of its own. */

import { ensureBuilt, ensureInstalled } from '../scripts/ensure-built.mjs'

ensureInstalled()
if (!process.argv.includes('--build')) ensureBuilt()

const { register } = await import('tsx/esm/api')
register()
const [group, ...rest] = process.argv.slice(2)
if (group === 'containers') {
  const { benchContainers } = await import('./containers/bench.ts')
  process.exitCode = await benchContainers(rest)
} else {
  const { bench } = await import('./bench.ts')
  process.exitCode = await bench(process.argv.slice(2))
}
