/** The file that tells others the master's process id. */

import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { asError, errorCode, TsgiError } from '../errors.ts'
import { processStat } from './process-stat.ts'

/**
 * Writes our id, whole or not at all. A file that a killed master left behind is replaced, also where its id is another process's by now.
 * @returns removes the file, if it is still ours.
 * @throws TsgiError TSGI_USAGE when the process it names is alive, what is there is no such file, or it cannot be written.
 */
export function writePidfile(path: string, pid = process.pid): () => void {
  const other = readPid(path)
  if (other !== undefined && other !== pid && isAlive(other) && !beganAfter(other, path)) {
    throw new TsgiError(
      'TSGI_USAGE',
      `${path} names process ${other}, which is running; stop it, or choose another --pidfile`,
    )
  }
  requireFree(path)
  const fresh = `${path}.${pid}`
  try {
    rmSync(fresh, { force: true })
    // A new file: who may write in this folder could have put a link there, to a file of root's.
    writeFileSync(fresh, `${pid}\n`, { mode: 0o644, flag: 'wx' })
    renameSync(fresh, path)
  } catch (thrown) {
    rmSync(fresh, { force: true })
    throw cannotWrite(path, thrown)
  }
  return () => {
    if (readPid(path) !== pid) return
    try {
      unlinkSync(path)
    } catch {
      // Its folder may have been taken away; the next start finds a dead id and replaces the file.
    }
  }
}

/**
 * Whether the file could be written, as far as can be told without writing it. A process that it names may run: an earlier
 * start of the same service.
 * @throws TsgiError TSGI_USAGE
 */
export function requirePidfilePlace(path: string): void {
  requireFree(path)
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK)
  } catch (thrown) {
    throw cannotWrite(path, thrown)
  }
}

function requireFree(path: string): void {
  if (readPid(path) !== undefined || isFree(path)) return
  throw new TsgiError(
    'TSGI_USAGE',
    `--pidfile ${path}: something that holds no process id is there, and tsgi does not overwrite it; choose another path`,
  )
}

function cannotWrite(path: string, thrown: unknown): TsgiError {
  const why = existsSync(dirname(path)) ? asError(thrown).message : `there is no folder ${dirname(path)}`
  return new TsgiError('TSGI_USAGE', `--pidfile ${path} cannot be written: ${why}`, { cause: thrown })
}

/** The id in the file; undefined where there is none. */
function readPid(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
  } catch {
    // No file, or not ours to read.
    return undefined
  }
}

/** Nothing is there, or an empty file: as root, a slip of the pen would take the place of a program, or of /dev/null. */
function isFree(path: string): boolean {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found === undefined || (found.isFile() && found.size === 0)
  } catch {
    // A folder that may not be entered: writing will tell.
    return true
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    // EPERM: it exists and belongs to somebody else.
    return errorCode(thrown) === 'EPERM'
  }
}

/** What the clock may have been set by since. */
const CLOCK_MARGIN_MS = 10_000

/** Then it is not the process that wrote the file. False where that cannot be told. */
function beganAfter(pid: number, path: string): boolean {
  const stat = processStat(pid)
  if (stat === undefined) return false
  try {
    const [, bootSeconds] = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? []
    return 1000 * Number(bootSeconds) + stat.beganMs > statSync(path).mtimeMs + CLOCK_MARGIN_MS
  } catch {
    // The file is gone by now.
    return false
  }
}
