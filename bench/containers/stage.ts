/** The containers of a run: one for each contender, nginx, and the load; nothing of it is published. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../../test/docker/support/engine.ts'
import { BASE_IMAGES, ROOT } from '../../test/docker/support/stand-ins.ts'
import { until } from '../../test/support/until.ts'
import { site } from '../front.ts'
import type { Sample } from '../measure.ts'
import { readLoad, wrkArguments } from '../wrk.ts'
import type { ContainedContender } from './contenders.ts'

export const IMAGES = { tsgi: 'tsgi-bench', load: 'tsgi-bench-load' } as const

export interface Stage {
  readonly contenders: readonly ContainedContender[]
  /** Resolves when the right answer comes through nginx. */
  readonly ready: (contender: ContainedContender) => Promise<void>
  readonly load: (contender: ContainedContender, connections: number, seconds: number) => Promise<Sample>
}

const NETWORK = 'tsgi-bench'
const SOCKETS = 'tsgi-bench-sockets'
const FIRST_PORT = 8001
const APPLICATION_PORT = 9000
const BODY = 'Hello, World!'
/** As in docker-compose.yml. */
const CONFINED = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']

/**
 * What it starts goes with the engine.
 * @param directory for the configuration of nginx, as long as the stage is used
 */
export async function openStage(
  engine: Engine,
  contenders: readonly ContainedContender[],
  directory: string,
): Promise<Stage> {
  await engine.docker(['network', 'create', '--internal', NETWORK])
  const tmpfs = ['--opt', 'type=tmpfs', '--opt', 'device=tmpfs', '--opt', 'o=uid=1000,gid=1000,mode=0755']
  await engine.docker(['volume', 'create', ...tmpfs, SOCKETS])
  const nginx = 'nginx'
  const run = async (name: string, args: readonly string[]): Promise<void> => {
    await engine.docker(['run', '--detach', '--name', name, ...args])
  }
  for (const { id, transport, command } of contenders) {
    const { entrypoint, args } = command(transport === 'unix' ? socketOf(id) : `:${APPLICATION_PORT}`)
    await run(id, [
      ...CONFINED,
      ...['--network', transport === 'unix' ? 'none' : NETWORK, '--no-healthcheck', '--entrypoint', entrypoint],
      ...['--volume', `${SOCKETS}:/run/tsgi`, '--volume', `${join(ROOT, 'bench', 'apps')}:/srv/app:ro`],
      ...[IMAGES.tsgi, ...args],
    ])
  }
  const sites = join(directory, 'default.conf')
  writeFileSync(sites, `include tsgi/http_host.conf;\n${contenders.map(siteOf).join('')}`)
  await run(nginx, [...CONFINED, ...nginxFlags(sites), BASE_IMAGES.nginx])
  await run('load', ['--network', NETWORK, IMAGES.load])

  const cgroups = new Map<string, string>()
  for (const name of [nginx, ...contenders.map(({ id }) => id)]) cgroups.set(name, await cgroupOf(engine, name))
  const cpuUs = (name: string): number => readCpuUs(cgroups.get(name) ?? '')
  const urlOf = (contender: ContainedContender): string =>
    `http://${nginx}:${FIRST_PORT + contenders.indexOf(contender)}/`
  return {
    contenders,
    ready: async (contender) => {
      const script = `fetch('${urlOf(contender)}').then(async (answer) => console.log(answer.status, await answer.text()))`
      const ask = ['exec', 'load', 'node', '--eval', script]
      const answers = async () => (await engine.docker(ask, { mayFail: true })).stdout === `200 ${BODY}\n`
      try {
        await until(`the right answer of ${contender.label}`, answers, 30_000)
      } catch (error) {
        const { output } = await engine.docker(['logs', '--tail', '5', contender.id])
        throw new Error(`${String(error)}\n${output}`)
      }
    },
    load: async (contender, connections, seconds) => {
      const before = [cpuUs(contender.id), cpuUs(nginx)] as const
      const wrk = ['exec', 'load', 'wrk', ...wrkArguments(urlOf(contender), connections, seconds)]
      const { requests, requestsPerSecond, p99Ms } = readLoad((await engine.docker(wrk)).stdout)
      return {
        requestsPerSecond,
        cpuUs: (cpuUs(contender.id) - before[0]) / requests,
        nginxCpuUs: (cpuUs(nginx) - before[1]) / requests,
        p99Ms,
      }
    },
  }
}

const socketOf = (id: string): string => `/run/tsgi/${id}.sock`

const siteOf = ({ id, front, transport }: ContainedContender, index: number): string =>
  site({
    name: id.replaceAll('-', '_'),
    front,
    server: transport === 'unix' ? `unix:${socketOf(id)}` : `${id}:${APPLICATION_PORT}`,
    listen: String(FIRST_PORT + index),
  })

const nginxFlags = (sites: string): string[] => [
  ...['--user', '101:101', '--network', NETWORK, '--volume', `${SOCKETS}:/run/tsgi`],
  ...['--volume', `${join(ROOT, 'nginx')}:/etc/nginx/tsgi:ro`],
  ...['--volume', `${join(ROOT, 'nginx', 'nginx.conf')}:/etc/nginx/nginx.conf:ro`],
  ...['--volume', `${sites}:/etc/nginx/conf.d/default.conf:ro`],
]

/** The file that counts the processor time of a container, in either version of control groups. */
async function cgroupOf(engine: Engine, container: string): Promise<string> {
  const { stdout } = await engine.docker(['inspect', '--format', '{{.State.Pid}}', container])
  const pid = Number(stdout)
  if (pid === 0) throw new Error(`${container} has ended:\n${(await engine.docker(['logs', container])).output}`)
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  const unified = /^0::(.*)$/m.exec(groups)?.[1] ?? ''
  const counted = /^\d+:(?:\w+,)*cpuacct(?:,\w+)*:(.*)$/m.exec(groups)?.[1]
  const candidates = [
    `/sys/fs/cgroup${unified}/cpu.stat`,
    `/sys/fs/cgroup/cpuacct${counted ?? ''}/cpuacct.usage`,
    `/sys/fs/cgroup/cpu,cpuacct${counted ?? ''}/cpuacct.usage`,
  ].slice(counted === undefined ? 0 : 1)
  const found = candidates.find((path) => existsSync(path))
  if (found === undefined) throw new Error(`no control group counts the processor time of ${container}:\n${groups}`)
  return found
}

function readCpuUs(path: string): number {
  const text = readFileSync(path, 'utf8')
  const counted = /^usage_usec (\d+)$/m.exec(text)?.[1]
  return counted === undefined ? Number(text) / 1000 : Number(counted)
}
