import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { commandLine } from '../support/tsgi.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs the built command to its end. */
export async function runTsgi(args: readonly string[], { cwd, env }: RunOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [commandLine, ...args], {
    cwd,
    env: { ...process.env, ...env, PWD: cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  await exited
  return { code: child.exitCode, stdout, stderr }
}
