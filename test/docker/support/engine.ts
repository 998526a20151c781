/** A Docker engine of the tests' own: its data, its socket and its processes are gone when it stops. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandPath } from '../../support/peers.ts'
import { until } from '../../support/until.ts'
import { type Ran, type RunOptions, run } from './run.ts'

export interface Engine {
  /** `unix:///...`, for `connectEngine` in another process. */
  readonly host: string
  readonly docker: (args: readonly string[], options?: RunOptions) => Promise<Ran>
  /** For programs that talk to it by themselves: docker-compose. */
  readonly env: Readonly<Record<string, string>>
}

const START_DEADLINE_MS = 60_000

export function connectEngine(host: string): Engine {
  // Images are built by the engine itself: Debian's client has no other builder.
  const env = { DOCKER_HOST: host, DOCKER_BUILDKIT: '0', COMPOSE_DOCKER_CLI_BUILD: '0' }
  return {
    host,
    env,
    docker: (args, options = {}) => run('docker', args, { ...options, env: { ...env, ...options.env } }),
  }
}

export async function startEngine(): Promise<Engine & { readonly stop: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-docker-'))
  const log = join(folder, 'log')
  const engine = connectEngine(`unix://${join(folder, 'docker.sock')}`)
  const output = openSync(log, 'w')
  const child = spawn(
    commandPath('dockerd'),
    [
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--pidfile', join(folder, 'pid'), '--host', engine.host, '--log-level', 'warn'],
    ],
    { stdio: ['ignore', output, output] },
  )
  const exited = once(child, 'exit')
  const answers = async () => {
    if (child.exitCode !== null) throw new Error(`dockerd ended:\n${readFileSync(log, 'utf8').slice(-2000)}`)
    return (await engine.docker(['version'], { mayFail: true })).code === 0
  }
  const stop = async () => {
    // What a failure left behind: bridges of networks would outlive the engine.
    const { stdout } = await engine.docker(['ps', '--all', '--quiet'], { mayFail: true })
    const containers = stdout.split('\n').filter((id) => id !== '')
    if (containers.length > 0) await engine.docker(['rm', '--force', '--volumes', ...containers], { mayFail: true })
    await engine.docker(['network', 'prune', '--force'], { mayFail: true })
    child.kill('SIGTERM')
    await exited
    await run('ip', ['link', 'delete', 'docker0'], { mayFail: true })
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await until('the Docker engine answers', answers, START_DEADLINE_MS)
  } catch (error) {
    await stop()
    throw error
  }
  return { ...engine, stop }
}
