/** The front servers that have no sample files: their whole configuration is here, and short. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accepts } from './accepts.ts'
import type { Front } from './nginx.ts'
import { commandPath } from './peers.ts'
import { freePort } from './ports.ts'
import { startServer } from './server-process.ts'
import { tempDir } from './temp-dir.ts'
import { until } from './until.ts'

/** Where tsgi listens. */
export type Backend = { readonly path: string } | { readonly port: number }

interface Place {
  readonly directory: string
  readonly port: number
}

interface Start {
  readonly name: string
  readonly args: (place: Place) => readonly string[]
  readonly stopSignal?: NodeJS.Signals
}

/** For a server that says nothing reliable when it is ready: it is, when its port accepts. */
async function startFront({ name, args, stopSignal }: Start): Promise<Front> {
  const directory = tempDir(`tsgi-${name}-`)
  const port = await freePort()
  const server = startServer({
    name,
    command: commandPath(name),
    args: args({ directory, port }),
    cwd: directory,
    env: { HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory },
    ...(stopSignal === undefined ? {} : { stopSignal }),
  })
  await until(`${name} accepts connections`, async () => {
    if (!server.isRunning()) throw new Error(`${name} ended:\n${server.lines.join('\n')}`)
    return await accepts(port)
  })
  return { port, ports: [port], url: `http://127.0.0.1:${port}`, directory, process: server, stop: server.stop }
}

export type LighttpdProtocol = 'fastcgi' | 'scgi' | 'uwsgi'

export function lighttpdConfig(protocol: LighttpdProtocol, backend: Backend, place: Place): string {
  const address =
    'path' in backend ? `"socket" => "${backend.path}"` : `"host" => "127.0.0.1", "port" => ${backend.port}`
  const module = protocol === 'fastcgi' ? 'fastcgi' : 'scgi'
  return `
server.modules = ( "mod_${module}" )
server.port = ${place.port}
server.bind = "127.0.0.1"
server.document-root = "${place.directory}"
server.errorlog = "/dev/null"
server.upload-dirs = ( "${place.directory}" )
${protocol === 'uwsgi' ? 'scgi.protocol = "uwsgi"' : ''}
# A key of "/" is the whole site; check-local: there need be no file of that name.
# fix-root-scriptname: PATH_INFO is the whole path and SCRIPT_NAME is empty.
${module}.server = ( "/" => (( ${address}, "check-local" => "disable", "fix-root-scriptname" => "enable" )) )
# Bodies pass through as they come, in both directions.
server.stream-request-body = 2
server.stream-response-body = 2
`
}

export function startLighttpd(protocol: LighttpdProtocol, backend: Backend): Promise<Front> {
  return startFront({
    name: 'lighttpd',
    stopSignal: 'SIGTERM',
    args: (place) => {
      const file = join(place.directory, 'lighttpd.conf')
      writeFileSync(file, lighttpdConfig(protocol, backend, place))
      return ['-D', '-f', file]
    },
  })
}

export function caddyConfig(backend: Backend, place: Place): string {
  const address = 'path' in backend ? `unix/${backend.path}` : `127.0.0.1:${backend.port}`
  return `{
  admin off
  auto_https off
  storage file_system ${place.directory}
}
http://127.0.0.1:${place.port} {
  reverse_proxy ${address} {
    flush_interval -1
    transport fastcgi {
      env PATH_INFO {http.request.uri.path}
      env SCRIPT_NAME ""
      read_timeout 60s
      write_timeout 60s
    }
  }
}
`
}

export function startCaddy(backend: Backend): Promise<Front> {
  return startFront({
    name: 'caddy',
    args: (place) => {
      const file = join(place.directory, 'Caddyfile')
      writeFileSync(file, caddyConfig(backend, place))
      return ['run', '--config', file, '--adapter', 'caddyfile']
    },
  })
}

export function haproxyConfig(backend: Backend, place: Place): string {
  const address = 'path' in backend ? `unix@${backend.path}` : `127.0.0.1:${backend.port}`
  return `
global
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  # The application is told when a client leaves before its answer.
  option abortonclose
fcgi-app tsgi
  docroot /
  # SCRIPT_NAME is empty and PATH_INFO is the whole path.
  path-info ^()(/.*)$
  option keep-conn
  option get-values
  pass-header Authorization
frontend www
  bind 127.0.0.1:${place.port}
  default_backend tsgi
backend tsgi
  use-fcgi-app tsgi
  server tsgi ${address} proto fcgi
`
}

export function startHaproxy(backend: Backend): Promise<Front> {
  return startFront({
    name: 'haproxy',
    stopSignal: 'SIGTERM',
    args: (place) => {
      const file = join(place.directory, 'haproxy.cfg')
      writeFileSync(file, haproxyConfig(backend, place))
      return ['-db', '-f', file]
    },
  })
}

export function startUwsgiRouter(backend: Backend): Promise<Front> {
  const address = 'path' in backend ? backend.path : `127.0.0.1:${backend.port}`
  // Without a master process it would leave when it finds no application; --die-on-term: TERM means reload otherwise.
  // The plugin comes first, it brings the options that follow.
  const router = ['--plugin', 'http', '--http-websockets', '--http-manage-expect', '--http-timeout', '60']
  return startFront({
    name: 'uwsgi',
    stopSignal: 'SIGTERM',
    args: ({ port }) => ['--master', '--die-on-term', ...router, '--http', `127.0.0.1:${port}`, '--http-to', address],
  })
}
