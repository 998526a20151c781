import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Ran {
  readonly code: number
  /** Standard output and standard error in the order in which they came. */
  readonly output: string
  readonly stdout: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Return instead of throwing where the command fails. */
  readonly mayFail?: boolean
}

/** @throws with everything the command said, where it failed */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { cwd, env, mayFail = false } = options
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk
  })
  await once(child, 'close')
  const code = child.exitCode ?? 1
  if (code !== 0 && !mayFail) throw new Error(`${command} ${args.join(' ')}: exit code ${code}\n${output.slice(-4000)}`)
  return { code, output, stdout }
}
