/** The front servers that have no sample files, each with the configuration that docs/front-servers.md shows. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accepts } from './accepts.ts'
import {
  type Backend,
  caddyConfig,
  type HaproxyOptions,
  haproxyConfig,
  type LighttpdProtocol,
  lighttpdConfig,
  type Place,
  uwsgiRouterArguments,
} from './front-configurations.ts'
import type { Front } from './nginx.ts'
import { commandPath } from './peers.ts'
import { freePort } from './ports.ts'
import { startServer } from './server-process.ts'
import { tempDir } from './temp-dir.ts'
import { until } from './until.ts'

/** For a server that says nothing reliable when it is ready: it is, when its port accepts. */
async function startFront(name: string, args: (place: Place) => readonly string[]): Promise<Front> {
  const directory = tempDir(`tsgi-${name}-`)
  const port = await freePort()
  const server = startServer({
    name,
    command: commandPath(name),
    args: args({ directory, temporary: directory, port }),
    cwd: directory,
    env: { HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory },
  })
  await until(`${name} accepts connections`, async () => {
    if (!server.isRunning()) throw new Error(`${name} ended:\n${server.lines.join('\n')}`)
    return await accepts(port)
  })
  return { port, ports: [port], url: `http://127.0.0.1:${port}`, directory, process: server, stop: server.stop }
}

function configFile({ directory }: Place, name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

export const startLighttpd = (protocol: LighttpdProtocol, backend: Backend): Promise<Front> =>
  startFront('lighttpd', (place) => [
    '-D',
    '-f',
    configFile(place, 'lighttpd.conf', lighttpdConfig(protocol, backend, place)),
  ])

export const startCaddy = (backend: Backend): Promise<Front> =>
  startFront('caddy', (place) => [
    ...['run', '--adapter', 'caddyfile', '--config'],
    // Its port of administration, 2019, may be somebody else's.
    configFile(place, 'Caddyfile', `{\n  admin off\n}\n${caddyConfig(backend, place)}`),
  ])

export const startHaproxy = (backend: Backend, options: HaproxyOptions = {}): Promise<Front> =>
  startFront('haproxy', (place) => [
    '-db',
    '-f',
    configFile(place, 'haproxy.cfg', haproxyConfig(backend, place, options)),
  ])

export const startUwsgiRouter = (backend: Backend): Promise<Front> =>
  startFront('uwsgi', (place) => uwsgiRouterArguments(backend, place))
