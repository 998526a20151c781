/** tsgi as users run it: the built command line in a process of its own. */

import { join } from 'node:path'
import { childPids } from './proc.ts'
import { type ServerProcess, startServer, type WaitForLog } from './server-process.ts'
import { tempDir } from './temp-dir.ts'
import { until } from './until.ts'

export const commandLine = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js')

export interface TsgiOptions {
  /** A path, with `:name` or without. */
  readonly app: string
  /** Besides `--log-format json`, and `--socket-mode 0666` where there is a Unix socket. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** False: returns at once, before the application is loaded. */
  readonly waitUntilReady?: boolean
  readonly stopDeadlineMs?: number
}

export interface Tsgi {
  readonly pid: number
  readonly process: ServerProcess
  /** JSON log lines so far, parsed. */
  readonly records: () => LogRecord[]
  readonly waitForLog: (pattern: RegExp, options?: WaitForLog) => Promise<RegExpExecArray>
  readonly workerPids: () => number[]
  readonly signal: (name: NodeJS.Signals) => void
  readonly stop: ServerProcess['stop']
}

export type LogRecord = Readonly<Record<string, unknown>>

export async function startTsgi(options: TsgiOptions): Promise<Tsgi> {
  const given = options.args ?? []
  // Front servers that start as root run their workers as www-data: the sockets of tests are open to everybody.
  const mode = given.some(isUnixListener) ? ['--socket-mode', '0666'] : []
  const args = ['serve', options.app, '--log-format', 'json', ...mode, ...given]
  const server = startServer({
    name: 'tsgi',
    command: process.execPath,
    args: [commandLine, ...args],
    env: { NODE_ENV: 'production', ...options.env },
    stopDeadlineMs: options.stopDeadlineMs ?? 40_000,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const tsgi: Tsgi = {
    pid: server.pid,
    process: server,
    records: () => server.lines.flatMap(parseRecord),
    waitForLog: server.waitForLog,
    workerPids: () => childPids(server.pid),
    signal: server.signal,
    stop: server.stop,
  }
  if (options.waitUntilReady !== false) await server.waitForLog(READY, { deadlineMs: READY_MS })
  return tsgi
}

/** What the master says once, when as many workers as were asked for accept connections. */
const READY = /"msg":"ready: \d+ worker/
/** On a machine that has other things to do a start may take its time. */
const READY_MS = 45_000

const isUnixListener = (each: string, index: number, args: readonly string[]): boolean =>
  /^(\/|unix:)/.test(each) && /^--(uwsgi|fastcgi|scgi|http|socket)$/.test(args[index - 1] ?? '')

function parseRecord(line: string): LogRecord[] {
  if (!line.startsWith('{')) return []
  try {
    const record: unknown = JSON.parse(line)
    // JSON.parse of a text that begins with { gives an object.
    return [record as LogRecord]
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}

/** The worker of a tsgi that has one. */
export function onlyWorker(tsgi: Tsgi): Promise<number> {
  return until('exactly one worker', () => {
    const pids = tsgi.workerPids()
    return pids.length === 1 ? pids[0] : undefined
  })
}

/** A fresh path for a Unix socket. */
export const socketPath = (name = 'app.sock'): string => join(tempDir('tsgi-sock-'), name)
