/**
 * Builds examples/nextjs for the tests, in node_modules/.cache, once for each state of the example. Next is too large to be
 * one of the dependencies here: npm fetches it for this alone. Where it cannot be had, the tests of it are skipped by name.
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const example = join(root, 'examples', 'nextjs')
const place = join(root, 'node_modules', '.cache', 'tsgi-nextjs')
/** Written last: the hash of the sources that were built. */
const stamp = join(place, 'built')
const fetchTimeoutMs = 180_000
const buildTimeoutMs = 300_000

/** Everything but what npm and Next write there. */
const SOURCES = ['app', 'public', 'next.config.js', 'package.json', 'package-lock.json']

function hashOfSources() {
  const hash = createHash('sha256')
  for (const source of SOURCES) {
    const path = join(example, source)
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      : [{ parentPath: example, name: source }]
    for (const file of files.map((entry) => join(entry.parentPath, entry.name)).sort())
      hash
        .update(`${file.slice(example.length)}\0`)
        .update(readFileSync(file))
        .update('\0')
  }
  return hash.digest('hex')
}

/** The server.js to serve; undefined where what is there is not built from what is in examples/. */
export function builtNextjs() {
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hashOfSources()) return undefined
  return join(place, '.next', 'standalone', 'server.js')
}

function npm(timeoutMs, ...parameters) {
  console.error(`> npm ${parameters.join(' ')} (examples/nextjs)`)
  const { status } = spawnSync('npm', parameters, {
    cwd: place,
    stdio: ['ignore', 2, 2],
    timeout: timeoutMs,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
  })
  return status === 0
}

/** @returns what went wrong, and whether that is a fault of this repository */
function build() {
  const hash = hashOfSources()
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place, { recursive: true })
  for (const source of SOURCES) cpSync(join(example, source), join(place, source), { recursive: true })
  const patience = ['--fetch-retries=1', '--fetch-timeout=30000']
  if (!npm(fetchTimeoutMs, 'ci', '--no-audit', '--no-fund', '--prefer-offline', ...patience))
    return { reason: 'npm could not fetch Next.js', ours: false }
  // Without the scripts before and after it: npm ci has just run.
  if (!npm(buildTimeoutMs, 'run', '--ignore-scripts', 'build')) return { reason: 'next build failed', ours: true }
  // What is built stands alone: the compiler and its third of a gigabyte have done their work.
  rmSync(join(place, 'node_modules'), { recursive: true, force: true })
  writeFileSync(stamp, hash)
  return undefined
}

if (process.argv[1] === fileURLToPath(import.meta.url) && builtNextjs() === undefined) {
  const failure = build()
  if (failure !== undefined) {
    console.error(`\ntsgi: ${failure.reason}`)
    if (failure.ours && process.env.CI === 'true') process.exitCode = 1
    else console.error('      The tests of examples/nextjs are SKIPPED: this run does not show that it works.\n')
  }
}
