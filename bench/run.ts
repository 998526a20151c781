/** Processes under measurement: started, watched, stopped, and none left behind. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { childPids, cpuMs } from '../test/support/proc.ts'

/** One command, in the foreground; TERM ends it. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Running {
  readonly name: string
  readonly pid: number
  /** User and system time so far, of this process and of all below it. */
  cpuMs(): number
  /** @throws with the last lines of its output, where it has ended */
  check(): void
  stop(): Promise<void>
}

const OUTPUT_CHARACTERS = 4000
const STOP_DEADLINE_MS = 5000

const alive = new Set<ChildProcess>()
// Ctrl-C reaches the contenders too, but not those that a failure here leaves behind.
process.on('exit', () => {
  for (const child of alive) child.kill('SIGTERM')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

export function run(name: string, { command, args, env }: Launch): Running {
  const child = spawn(command, args, {
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  alive.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS)
    })
  }
  const exited = once(child, 'exit').then(
    () => undefined,
    (error: unknown) => {
      output += String(error)
    },
  )
  let ended = false
  void exited.then(() => {
    ended = true
    alive.delete(child)
  })
  const check = (): void => {
    if (ended) throw new Error(`${name} has ended (${child.signalCode ?? child.exitCode}):\n${output}`)
  }
  return {
    name,
    pid: child.pid ?? 0,
    check,
    cpuMs: () => {
      check()
      return treeCpuMs(child.pid ?? 0)
    },
    stop: async () => {
      if (ended) return
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
      await exited
      clearTimeout(late)
    },
  }
}

const treeCpuMs = (pid: number): number => childPids(pid).reduce((total, child) => total + treeCpuMs(child), cpuMs(pid))
