/** Whole configurations of the front servers that have no sample files: what the tests start and docs/front-servers.md shows. */

/** Where tsgi listens. */
export type Backend = { readonly path: string } | { readonly port: number }

/** Where the front server listens, its document root, and where it may write. */
export interface Place {
  readonly directory: string
  readonly temporary: string
  readonly port: number
}

export type LighttpdProtocol = 'fastcgi' | 'scgi' | 'uwsgi'

export function lighttpdConfig(protocol: LighttpdProtocol, backend: Backend, place: Place): string {
  const address =
    'path' in backend ? `"socket" => "${backend.path}"` : `"host" => "127.0.0.1", "port" => ${backend.port}`
  const module = protocol === 'fastcgi' ? 'fastcgi' : 'scgi'
  return `server.modules = ( "mod_${module}" )
server.port = ${place.port}
server.bind = "127.0.0.1"
server.document-root = "${place.directory}"
server.upload-dirs = ( "${place.temporary}" )
${protocol === 'uwsgi' ? 'scgi.protocol = "uwsgi"\n' : ''}# "/" is the whole site; check-local: there need be no file of that name; fix-root-scriptname: PATH_INFO is the path.
${module}.server = ( "/" => ((
  ${address},
  "check-local" => "disable",
  "fix-root-scriptname" => "enable"
)) )
# Bodies pass through as they come, in both directions.
server.stream-request-body = 2
server.stream-response-body = 2
`
}

export function caddyConfig(backend: Backend, place: Place): string {
  const address = 'path' in backend ? `unix/${backend.path}` : `127.0.0.1:${backend.port}`
  return `http://127.0.0.1:${place.port} {
  reverse_proxy ${address} {
    flush_interval -1
    transport fastcgi {
      read_timeout 60s
      write_timeout 60s
    }
  }
}
`
}

export interface HaproxyOptions {
  /** Several requests at once on one connection; on one thread, so that there is one connection. */
  readonly multiplexed?: boolean
}

export function haproxyConfig(backend: Backend, place: Place, { multiplexed = false }: HaproxyOptions = {}): string {
  const address = 'path' in backend ? `unix@${backend.path}` : `127.0.0.1:${backend.port}`
  const [oneThread, multiplexing, anyClient] = multiplexed
    ? ['  nbthread 1\n', '  option get-values\n  option mpxs-conns\n  option max-reqs 100\n', '  http-reuse always\n']
    : ['', '', '']
  return `global
  maxconn 1000
${oneThread}defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  # The application is told when a client leaves before its answer.
  option abortonclose
fcgi-app tsgi
  docroot /
  option keep-conn
${multiplexing}  pass-header Authorization
frontend www
  bind 127.0.0.1:${place.port}
  default_backend tsgi
backend tsgi
${anyClient}  use-fcgi-app tsgi
  server tsgi ${address} proto fcgi
`
}

/** The arguments of `uwsgi`, as lines of two words each where an option has a value. */
export function uwsgiRouterArguments(backend: Backend, place: Place): string[] {
  const address = 'path' in backend ? backend.path : `127.0.0.1:${backend.port}`
  // Without a master process it would leave when it finds no application; --die-on-term: TERM means reload otherwise.
  // The plugin comes first, it brings the options that follow.
  return [
    ...['--master', '--die-on-term', '--plugin', 'http', '--http-websockets', '--http-manage-expect'],
    ...['--http-timeout', '60', '--http', `127.0.0.1:${place.port}`, '--http-to', address],
  ]
}
