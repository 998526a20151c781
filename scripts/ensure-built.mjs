/**
 * Makes a checkout ready to run: dependencies as the lock file says, and `dist` no older than `src`.
 * Does nothing, in a few milliseconds, where both are so already.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const modules = join(root, 'node_modules')
/** Written by npm at the end of every install, so its age is the age of node_modules. */
const installedLock = join(modules, '.package-lock.json')
const commandLine = join(root, 'dist', 'cli', 'main.js')
/** Two runs that start together must not write `dist` at the same time. */
const buildLock = join(modules, '.cache', 'tsgi-build.lock')
const buildLockStaleMs = 120_000

const modifiedMs = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

function newestFileMs(directory) {
  let newest = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    newest = Math.max(newest, entry.isDirectory() ? newestFileMs(path) : statSync(path).mtimeMs)
  }
  return newest
}

function npm(...parameters) {
  console.error(`> npm ${parameters.join(' ')}`)
  const { status, error } = spawnSync('npm', parameters, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  throw new Error(error === undefined ? `npm ${parameters.join(' ')} failed (exit ${status})` : `npm: ${error.message}`)
}

export function ensureInstalled() {
  if (modifiedMs(installedLock) >= modifiedMs(join(root, 'package-lock.json'))) return
  // npm ci would empty the folder that it leads to, and with it the checkout that the folder belongs to.
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) return
  // npm ci starts from an empty node_modules: right for a clone, and for a lock file that moved on.
  // Errors alone: what npm warns of is frameworks in our examples that ask for a newer Node, forty lines before the first of ours.
  npm('ci', '--no-audit', '--no-fund', '--loglevel=error')
}

function newestSourceMs() {
  return Math.max(newestFileMs(join(root, 'src')), modifiedMs(join(root, 'tsconfig.build.json')))
}

/** The command line is the last thing the compiler writes of what matters here; its age is the age of the build. */
const isBuilt = () => modifiedMs(commandLine) > newestSourceMs()

export function ensureBuilt() {
  if (isBuilt()) return
  mkdirSync(dirname(buildLock), { recursive: true })
  while (!takeLock()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  try {
    if (isBuilt()) return
    // What was deleted or renamed in src must not live on in dist.
    rmSync(join(root, 'dist'), { recursive: true, force: true })
    npm('run', '--silent', 'build')
  } finally {
    rmSync(buildLock, { recursive: true, force: true })
  }
}

function takeLock() {
  try {
    mkdirSync(buildLock)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (Date.now() - modifiedMs(buildLock) > buildLockStaleMs) rmSync(buildLock, { recursive: true, force: true })
    return false
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    ensureInstalled()
    ensureBuilt()
  } catch (error) {
    console.error(`tsgi: ${error.message}`)
    process.exitCode = 1
  }
}
