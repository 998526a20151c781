/** docker-compose.yml as it is, in a project of its own with ports of its own. */

import { randomBytes } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../support/ports.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { until } from '../../support/until.ts'
import type { Engine } from './engine.ts'
import { type Ran, type RunOptions, run } from './run.ts'
import { ROOT } from './stand-ins.ts'

export type Front = 'nginx' | 'tcp' | 'apache' | 'direct' | 'tls'

export interface Stack {
  readonly project: string
  readonly ports: Readonly<Record<Front, number>>
  readonly compose: (args: readonly string[], options?: RunOptions) => Promise<Ran>
  /** `up` of these services (default: those of no profile) and what they depend on. */
  readonly up: (args?: readonly string[], options?: RunOptions) => Promise<Ran>
  readonly healthy: (container: string) => Promise<void>
  /** `app-1` is `PROJECT_app-1_1` or `PROJECT-app-1-1`, by the version of Compose. */
  readonly container: (service: string) => Promise<string>
  readonly inspect: (container: string, format: string) => Promise<string>
  readonly down: () => Promise<void>
}

const HEALTH_DEADLINE_MS = 120_000
const PROFILES = ['tcp', 'apache', 'direct', 'tls'].flatMap((name) => ['--profile', name])

export async function prepareStack(engine: Engine, extra: Readonly<Record<string, string>> = {}): Promise<Stack> {
  const project = `tsgi${randomBytes(4).toString('hex')}`
  const key = join(tempDir(), 'session.key')
  writeFileSync(key, randomBytes(32).toString('hex'))
  chmodSync(key, 0o644)
  const ports = {
    nginx: await freePort(),
    tcp: await freePort(),
    apache: await freePort(),
    direct: await freePort(),
    tls: await freePort(),
  }
  const env: Record<string, string> = {
    ...engine.env,
    COMPOSE_PROJECT_NAME: project,
    SESSION_KEY_FILE: key,
    PUBLISH: `127.0.0.1:${ports.nginx}`,
    PUBLISH_TCP: `127.0.0.1:${ports.tcp}`,
    PUBLISH_APACHE: `127.0.0.1:${ports.apache}`,
    PUBLISH_DIRECT: `127.0.0.1:${ports.direct}`,
    PUBLISH_TLS: `127.0.0.1:${ports.tls}`,
    ...extra,
  }
  const program = (await run('docker', ['compose', 'version'], { mayFail: true, env })).code === 0 ? 'v2' : 'v1'
  const compose: Stack['compose'] = (args, options = {}) =>
    run(program === 'v2' ? 'docker' : 'docker-compose', program === 'v2' ? ['compose', ...args] : args, {
      cwd: ROOT,
      ...options,
      env: { ...env, ...options.env },
    })
  const inspect: Stack['inspect'] = async (name, format) =>
    (await engine.docker(['inspect', '--format', format, name])).stdout.trim()
  return {
    project,
    ports,
    compose,
    inspect,
    up: (args = [], options = {}) => compose(['up', '--detach', '--no-build', ...args], options),
    container: async (service) => {
      const { stdout } = await compose(['ps', '--quiet', service])
      return stdout.trim().split('\n')[0] ?? ''
    },
    healthy: async (name) => {
      await until(
        `${name} is healthy`,
        async () => (await inspect(name, '{{.State.Health.Status}}')) === 'healthy',
        HEALTH_DEADLINE_MS,
      )
    },
    down: async () => {
      await compose([...PROFILES, 'down', '--volumes', '--remove-orphans', '--timeout', '5'])
    },
  }
}
