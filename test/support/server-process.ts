/** A real program under test, as a child process whose output is kept line by line. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { findCommand } from '../../scripts/peers.mjs'
import { stopAfterTests } from './started.ts'

export interface ServerOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Asks the program to leave; SIGKILL follows after `stopDeadlineMs`. */
  readonly stopSignal?: NodeJS.Signals
  readonly stopDeadlineMs?: number
}

export interface ExitStatus {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServerProcess {
  readonly pid: number
  /** Lines of stdout and stderr, in the order of arrival. */
  readonly lines: readonly string[]
  /** Lines of stdout alone. */
  readonly stdoutLines: readonly string[]
  readonly exited: Promise<ExitStatus>
  readonly isRunning: () => boolean
  /**
   * The first line from number `fromLine` (default 0) on that matches, of the past or of the future.
   * @throws when the deadline passes or the program ends first, with its output
   */
  readonly waitForLog: (pattern: RegExp, options?: WaitForLog) => Promise<RegExpExecArray>
  readonly signal: (name: NodeJS.Signals) => void
  readonly stop: () => Promise<ExitStatus>
}

export interface WaitForLog {
  readonly fromLine?: number
  readonly deadlineMs?: number
}

/** Linux: the program gets a TERM when this process dies, however it dies, so that no run leaves servers behind. */
const setpriv = findCommand('setpriv')
const tied = (command: string, args: readonly string[]): [string, readonly string[]] =>
  setpriv === undefined ? [command, args] : [setpriv, ['--pdeathsig', 'TERM', '--', command, ...args]]

export function startServer(options: ServerOptions): ServerProcess {
  const [command, args] = tied(options.command, options.args)
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const stdoutLines: string[] = []
  const watchers = new Set<() => void>()
  const changed = (): void => {
    for (const watcher of [...watchers]) watcher()
  }
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (stream === child.stdout) stdoutLines.push(line)
      changed()
    })
  }

  let status: ExitStatus | undefined
  // 'close', not 'exit': only then the last line was read.
  const exited = new Promise<ExitStatus>((resolve) => {
    const settle = (exit: ExitStatus): void => {
      status ??= exit
      resolve(status)
      changed()
    }
    child.once('error', (error) => {
      lines.push(`could not be started: ${error.message}`)
      settle({ code: 127, signal: null })
    })
    child.once('close', (code, signal) => settle({ code, signal }))
  })
  const ended = once(child, 'exit').catch(() => undefined)
  // A grandchild that still holds our pipes must not keep the test waiting for their end.
  child.once('exit', () => {
    setTimeout(() => {
      child.stdout.destroy()
      child.stderr.destroy()
    }, 500).unref()
  })
  const isRunning = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null

  const describeOutput = (): string =>
    lines.length === 0 ? '(it printed nothing)' : lines.slice(-60).join('\n').slice(-8_000)

  const waitForLog: ServerProcess['waitForLog'] = (pattern, { fromLine = 0, deadlineMs = 20_000 } = {}) =>
    new Promise((resolve, reject) => {
      let next = fromLine
      const done = (settle: () => void): void => {
        watchers.delete(look)
        clearTimeout(timer)
        settle()
      }
      const look = (): void => {
        for (; next < lines.length; next += 1) {
          const match = pattern.exec(lines[next] ?? '')
          if (match !== null) {
            done(() => resolve(match))
            return
          }
        }
        if (status !== undefined) {
          const how = status.signal ?? `exit code ${status.code}`
          done(() => reject(new Error(`${options.name} ended (${how}) before ${pattern}:\n${describeOutput()}`)))
        }
      }
      const timer = setTimeout(
        () => done(() => reject(new Error(`${options.name}: no ${pattern} in ${deadlineMs} ms:\n${describeOutput()}`))),
        deadlineMs,
      )
      watchers.add(look)
      look()
    })

  const stop = async (): Promise<ExitStatus> => {
    if (isRunning()) {
      child.kill(options.stopSignal ?? 'SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), options.stopDeadlineMs ?? 10_000)
      await ended
      clearTimeout(late)
    }
    return exited
  }
  stopAfterTests(stop)

  return {
    pid: child.pid ?? 0,
    lines,
    stdoutLines,
    exited,
    isRunning,
    waitForLog,
    signal: (name) => {
      child.kill(name)
    },
    stop,
  }
}
