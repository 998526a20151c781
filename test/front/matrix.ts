/**
 * Which front server speaks what to tsgi, and what works there: the expectations of the matrix tests and the source of
 * docs/front-servers.md. Data only. What is not noted as a limit behaves as `behaviours.ts` expects.
 */

export type FrontName = 'nginx' | 'apache' | 'lighttpd' | 'caddy' | 'haproxy' | 'uwsgi'
export type Protocol = 'uwsgi' | 'fastcgi' | 'scgi'
export type Transport = 'unix' | 'tcp'

/** Every behaviour once, with the words that the documentation uses. */
export const BEHAVIOURS = {
  path: 'The path arrives decoded in PATH_INFO and as sent in REQUEST_URI',
  variables: 'Method, host with port, client address, scheme and Authorization arrive',
  repeatedHeaders: 'A repeated request header arrives joined by commas, cookies by semicolons',
  proxyHeader: 'A Proxy header never arrives as HTTP_PROXY',
  nulInPath: 'A NUL in the path is refused with 400 or 404',
  largeHead: 'A request head of 8 KB passes',
  status: 'Any status and its reason phrase pass',
  noBodyStatus: '204, 304 and HEAD have no body, and the connection to the client goes on',
  responseHeaders: 'Repeated response headers stay apart, Latin-1 and 3,000 bytes in one pass',
  redirect: 'A redirect passes as it is',
  form: 'A form POST is read',
  emptyBody: 'A POST without a body is an empty body',
  upload: 'An upload of 5 MB arrives whole',
  slowUpload: 'A body that comes in pieces arrives whole',
  chunkedUpload: 'A chunked upload (no Content-Length) arrives whole',
  expectContinue: 'A client that sends Expect: 100-continue is told to continue',
  download: 'A download of 5 MB of unknown length arrives whole',
  downloadLength: 'A download with Content-Length keeps it',
  streaming: 'What the application yields reaches the client before the next piece is made',
  unreadBody: 'An answer that leaves a body of 3 MB unread arrives',
  http10: 'A client of HTTP/1.0 is served',
  keepAlive: 'Many requests on one connection of the client',
  concurrency: '50 requests at once',
  exception: 'An exception before the head is a 500 without details',
  brokenStream: 'A response of unknown length that breaks off does not look complete',
  brokenLength: 'A response with Content-Length that breaks off does not look complete',
  clientGone: 'The application learns that the client left while it works',
  upgrade: 'A connection can be upgraded (WebSocket)',
} as const

export type BehaviourName = keyof typeof BEHAVIOURS

/** What is seen of a behaviour from outside; compared as a whole. */
export type Observation = Readonly<Record<string, unknown>>

export interface Limit {
  /** For the documentation: what happens instead, and why. */
  readonly why: string
  /** What the test sees instead, besides what stays as expected. Or that it cannot even be tried. */
  readonly instead: Observation | 'not tried'
  /** Not a loss: the outcome is right, only different. */
  readonly harmless?: true
}

export interface Pair {
  readonly front: FrontName
  readonly protocol: Protocol
  readonly transport: Transport
  /** Where one pair of server and protocol has two configurations. */
  readonly variant?: string
  /** The sample file of this package that the test starts. */
  readonly sample?: string
  readonly directive: string
  readonly limits: Partial<Record<BehaviourName, Limit>>
}

export const FRONT_TITLES: Readonly<Record<FrontName, string>> = {
  nginx: 'nginx',
  apache: 'Apache',
  lighttpd: 'lighttpd',
  caddy: 'Caddy',
  haproxy: 'HAProxy',
  uwsgi: "uWSGI's HTTP router",
}

/** What the directives alone do not tell, for the documentation. */
export const REMARKS: Partial<Readonly<Record<FrontName, readonly string[]>>> = {
  haproxy: [
    "With `chroot` in `global`, as in Debian's own haproxy.cfg, the path of a Unix socket is looked up inside that folder: let tsgi listen there (`--fastcgi /var/lib/haproxy/tsgi.sock` and `server tsgi unix@/tsgi.sock`), or use TCP. The sign of it is a 503 with `SC--` in the log.",
    'Leave `option get-values` and `option mpxs-conns` out. With them HAProxy carries up to 128 requests at once on one connection (what FCGI_MAX_REQS says, whatever `option max-reqs` is). tsgi serves them (test/front/multiplexed.test.ts), but one connection is served by one worker while the others idle; HAProxy 2.6 answers some of many that begin at once with a 500 of its own (`IH--` in its log); it does not tell that a client left whose request it has sent whole; an upload that the application does not read holds up all others; and a response of unknown length that breaks off can end only when the others on its connection have.',
    'With `http-reuse always` it does not tell either that a client left. The default, `safe`, does, and connections are kept all the same.',
    'It holds a request body back until it is complete or fills a buffer (`tune.bufsize`, 16 KB).',
  ],
}

export const pairTitle = ({ front, protocol, transport, variant }: Pair): string =>
  [FRONT_TITLES[front], protocol, transport, ...(variant === undefined ? [] : [variant])].join(', ')

/** Seen with the versions of Debian 12: nginx 1.22, Apache 2.4, lighttpd 1.4, Caddy 2.6, HAProxy 2.6, uWSGI 2.0. */
const noReset: Limit = {
  why: 'a Unix socket has no reset, so that only a Content-Length can show the loss: announce one, or use TCP',
  instead: { complete: true },
}

const commaCookies: Limit = {
  why: 'two Cookie lines are joined by a comma, as other headers are (browsers send one line)',
  instead: { cookie: 'a=1, b=2' },
}

const joinedHeaders: Limit = {
  why: 'repeated response headers other than Set-Cookie are joined by a comma',
  instead: { repeated: ['one, two'] },
  harmless: true,
}

const ownReasons = (lines: readonly string[]): Limit => ({
  why: 'the server writes reason phrases of its own, which HTTP allows; the code stays',
  instead: { lines },
  harmless: true,
})

const lengthRequired: Limit = {
  why: 'the server answers 411 itself: the client has to announce the length',
  instead: { status: 411, bytes: undefined, sha256: undefined },
}

const notTold: Limit = {
  why: 'the server tells of it only when the next bytes are written; use --request-timeout',
  instead: { noticed: false },
}

/** A FastCGI connection cannot be handed over, by any front server. */
const fastcgiNoUpgrade: Limit = {
  why: 'FastCGI cannot hand a connection over; use uwsgi for that path',
  instead: { status: 426, echoed: '' },
}

/** 101 passes, and nothing after it. */
const noTunnel: Limit = {
  why: 'the server passes the 101 on but opens no tunnel; proxy that path by HTTP',
  instead: { echoed: 'nothing' },
}

const NGINX: readonly Pair[] = (['unix', 'tcp'] as const).flatMap((transport): Pair[] => {
  const address = transport === 'unix' ? 'unix:/run/tsgi/app.sock' : '127.0.0.1:9000'
  const broken: Pair['limits'] = transport === 'unix' ? { brokenStream: noReset } : {}
  return [
    {
      front: 'nginx',
      protocol: 'uwsgi',
      transport,
      sample: 'nginx/app.conf',
      directive: `uwsgi_pass ${address};`,
      limits: broken,
    },
    {
      front: 'nginx',
      protocol: 'fastcgi',
      transport,
      sample: 'nginx/fastcgi.conf',
      directive: `fastcgi_pass ${address}; fastcgi_keep_conn on;`,
      limits: { upgrade: fastcgiNoUpgrade },
    },
    {
      front: 'nginx',
      protocol: 'scgi',
      transport,
      sample: 'nginx/scgi.conf',
      directive: `scgi_pass ${address};`,
      limits: broken,
    },
  ]
})

const apacheFastcgiLimits: Pair['limits'] = {
  repeatedHeaders: commaCookies,
  responseHeaders: joinedHeaders,
  clientGone: notTold,
  upgrade: fastcgiNoUpgrade,
}

const APACHE: readonly Pair[] = (['unix', 'tcp'] as const).flatMap((transport): Pair[] => {
  const target = (scheme: string): string =>
    transport === 'unix' ? `unix:/run/tsgi/app.sock|${scheme}://tsgi-app/` : `${scheme}://127.0.0.1:9000/`
  const limits: Pair['limits'] = {
    repeatedHeaders: commaCookies,
    chunkedUpload: lengthRequired,
    clientGone: notTold,
    ...(transport === 'unix' ? { brokenStream: noReset } : {}),
  }
  return [
    {
      front: 'apache',
      protocol: 'uwsgi',
      transport,
      sample: 'apache/app-uwsgi.conf',
      directive: `ProxyPass "/" "${target('uwsgi')}"`,
      limits: { ...limits, upgrade: noTunnel },
    },
    {
      front: 'apache',
      protocol: 'fastcgi',
      transport,
      sample: 'apache/app-fcgi.conf',
      directive: `ProxyPass "/" "${target('fcgi')}" enablereuse=on`,
      limits: apacheFastcgiLimits,
    },
    {
      front: 'apache',
      protocol: 'scgi',
      transport,
      sample: 'apache/app-scgi.conf',
      directive: `ProxyPass "/" "${target('scgi')}"`,
      limits: {
        ...limits,
        responseHeaders: joinedHeaders,
        upgrade: {
          why: 'the server neither passes the 101 on nor ends; proxy that path by HTTP',
          instead: { status: 'none', echoed: '' },
        },
      },
    },
  ]
})

const APACHE_FILES: Pair = {
  front: 'apache',
  protocol: 'fastcgi',
  transport: 'unix',
  variant: 'SetHandler',
  sample: 'apache/app-fcgi-files.conf',
  directive: 'SetHandler "proxy:unix:/run/tsgi/app.sock|fcgi://tsgi-app"',
  limits: apacheFastcgiLimits,
}

const LIGHTTPD: readonly Pair[] = (['unix', 'tcp'] as const).flatMap((transport): Pair[] => {
  const address = transport === 'unix' ? '"socket" => "/run/tsgi/app.sock"' : '"host" => "127.0.0.1", "port" => 9000'
  const server = (module: string): string =>
    `${module}.server = ( "/" => (( ${address}, "check-local" => "disable", "fix-root-scriptname" => "enable" )) )`
  const limits: Pair['limits'] = {
    status: ownReasons([
      '201 Created',
      '404 Not Found',
      '418 ',
      '500 Internal Server Error',
      '503 Service Unavailable',
      '299 ',
    ]),
    chunkedUpload: {
      why: 'with server.stream-request-body the server answers 411; without it the whole body is collected first',
      instead: lengthRequired.instead,
    },
    clientGone: notTold,
  }
  const broken: Pair['limits'] = transport === 'unix' ? { brokenStream: noReset } : {}
  return [
    {
      front: 'lighttpd',
      protocol: 'fastcgi',
      transport,
      directive: server('fastcgi'),
      limits: { ...limits, upgrade: fastcgiNoUpgrade },
    },
    {
      front: 'lighttpd',
      protocol: 'scgi',
      transport,
      directive: server('scgi'),
      limits: { ...limits, ...broken, upgrade: noTunnel },
    },
    {
      front: 'lighttpd',
      protocol: 'uwsgi',
      transport,
      directive: `scgi.protocol = "uwsgi"; ${server('scgi')}`,
      limits: { ...limits, ...broken, upgrade: noTunnel },
    },
  ]
})

const OTHERS: readonly Pair[] = (['unix', 'tcp'] as const).flatMap((transport): Pair[] => [
  {
    front: 'caddy',
    protocol: 'fastcgi',
    transport,
    directive: `reverse_proxy ${transport === 'unix' ? 'unix//run/tsgi/app.sock' : '127.0.0.1:9000'} { transport fastcgi }`,
    limits: {
      repeatedHeaders: commaCookies,
      status: ownReasons([
        '201 Created',
        '404 Not Found',
        "418 I'm a teapot",
        '500 Internal Server Error',
        '503 Service Unavailable',
        '299 status code 299',
      ]),
      brokenStream: {
        why: 'the server ends the response in an orderly way although the stream broke; announce a Content-Length',
        instead: { complete: true },
      },
      clientGone: notTold,
      upgrade: fastcgiNoUpgrade,
    },
  },
  {
    front: 'haproxy',
    protocol: 'fastcgi',
    transport,
    directive: `server tsgi ${transport === 'unix' ? 'unix@/run/tsgi/app.sock' : '127.0.0.1:9000'} proto fcgi`,
    limits: {
      chunkedUpload: {
        why: 'the server answers 400 to a chunked body that is larger than its buffer (tune.bufsize, 16 KB)',
        instead: { status: 400, bytes: undefined, sha256: undefined },
      },
      upgrade: fastcgiNoUpgrade,
    },
  },
  {
    front: 'uwsgi',
    protocol: 'uwsgi',
    transport,
    directive: `uwsgi --http :80 --http-to ${transport === 'unix' ? '/run/tsgi/app.sock' : '127.0.0.1:9000'}`,
    limits: {
      repeatedHeaders: commaCookies,
      noBodyStatus: {
        why: 'the router closes the connection to the client after each response',
        instead: { statuses: [204, undefined, undefined, undefined], after: undefined, headLength: Number.NaN },
      },
      keepAlive: {
        why: 'the router closes the connection to the client after each response',
        instead: { answered: 1 },
      },
      chunkedUpload: {
        why: 'the router drops a chunked body: tsgi answers 411, clients have to announce the length',
        instead: lengthRequired.instead,
      },
      brokenStream: {
        why: 'the router ends the connection to the client in an orderly way; announce a Content-Length',
        instead: { complete: true },
      },
    },
  },
])

export const MATRIX: readonly Pair[] = [...NGINX, ...APACHE, APACHE_FILES, ...LIGHTTPD, ...OTHERS]
