/** Finds and reads the configuration file: tsgi.config.ts, .js, .mjs or .json. The values are raw; `parse.ts` reads them. */

import { spawn } from 'node:child_process'
import { existsSync, lstatSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { unpack } from 'msgpackr'
import { asError, describe, TsgiError } from '../errors.ts'
import { ownModule } from '../own-module.ts'

const CONFIG_NAMES = ['tsgi.config.ts', 'tsgi.config.js', 'tsgi.config.mjs', 'tsgi.config.json'] as const

/** A file that waits for a network must not hang a reload for ever. */
const READ_TIMEOUT_MS = 30_000

/** Where the process that imports the file writes what it found. */
export const ANSWER_FD = 3

/** What it writes there, as MessagePack. */
export type ConfigAnswer =
  | { readonly ok: true; readonly values: Readonly<Record<string, unknown>> }
  /** `stack` when the file itself failed, undefined when what it exports is no configuration. */
  | { readonly ok: false; readonly message: string; readonly stack?: string }

interface ConfigFile {
  /** Absolute. */
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
}

/**
 * @param given what --config or TSGI_CONFIG says; without it the file in `cwd` is taken, if there is one
 * @throws TsgiError TSGI_USAGE
 */
export async function readConfigFile(
  given: string | undefined,
  cwd: string,
  timeoutMs = READ_TIMEOUT_MS,
): Promise<ConfigFile | undefined> {
  const path = given === undefined ? findConfigFile(cwd) : resolve(cwd, given)
  if (path === undefined) return undefined
  if (!existsSync(path)) throw usage(path, 'there is no such file')
  if (path.endsWith('.json')) return { path, values: await readJson(path) }
  if (/\.[cm]?[jt]s$/.test(path)) return { path, values: await readModule(path, timeoutMs) }
  throw usage(path, 'a configuration file ends in .ts, .js, .mjs or .json')
}

function findConfigFile(cwd: string): string | undefined {
  // A link that leads nowhere counts: who made it does not expect the defaults.
  const isThere = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined
  const found = CONFIG_NAMES.map((name) => resolve(cwd, name)).filter(isThere)
  if (found.length > 1) throw usage(found.join(', '), 'keep one of these, or say which with --config')
  return found[0]
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  let values: unknown
  try {
    values = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw usage(path, asError(error).message, error)
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw usage(path, `expected an object of options, not ${describe(values)}`)
  }
  return { ...values }
}

async function readModule(path: string, timeoutMs: number): Promise<Readonly<Record<string, unknown>>> {
  const child = spawn(process.execPath, [...childProgram(), path], {
    // What the file prints is no output of ours.
    stdio: ['ignore', 2, 2, 'pipe'],
    timeout: timeoutMs,
    // Nor may one that listens for SIGTERM.
    killSignal: 'SIGKILL',
  })
  const exited = new Promise<string>((settle, fail) => {
    child.once('error', fail)
    child.once('exit', (code, signal) => settle(signal ?? `exit code ${code ?? 'unknown'}`))
  })
  const pipe = child.stdio[ANSWER_FD]
  if (pipe === null || pipe === undefined || !('read' in pipe))
    throw usage(path, 'no pipe to the process that reads it')
  const [bytes, end] = await Promise.all([buffer(pipe), exited])
  if (bytes.length === 0 && child.killed) throw usage(path, `it was not read within ${timeoutMs / 1000} s`)
  if (bytes.length === 0) throw usage(path, `it ended the process that reads it (${end})`)
  // Written by config-child.ts of this same version.
  const answer = unpack(bytes) as ConfigAnswer
  if (answer.ok) return answer.values
  throw usage(path, answer.stack ?? answer.message)
}

/** Compiled, the child is plain JavaScript; from source (the tests) it needs tsx itself. */
function childProgram(): string[] {
  const child = fileURLToPath(ownModule('cli/config-child'))
  if (child.endsWith('.js')) return [child]
  const tsx = createRequire(import.meta.url).resolve('tsx')
  return ['--import', pathToFileURL(tsx).href, child]
}

function usage(path: string, text: string, cause?: unknown): TsgiError {
  return new TsgiError('TSGI_USAGE', `${path}: ${text}`, { cause })
}
