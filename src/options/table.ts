/**
 * Every option of tsgi, once. From a row come the flag, the key in `tsgi.config.ts`, the environment variable, the field of
 * `Options`, the help and the docs. To add an option: one row here, one use as `options.<key>`, `npm run docs`.
 */

import {
  account,
  address,
  byteSize,
  choice,
  cidr,
  count,
  duration,
  flag,
  type Kind,
  list,
  octalMode,
  optional,
  path,
  text,
  urlPrefix,
  variables,
  workerCount,
} from './kinds.ts'
import { listener, type OptionRow, option, seconds } from './row.ts'

export const OPTIONS = {
  uwsgi: listener('--uwsgi', 'Listen here for the uwsgi protocol (nginx uwsgi_pass, Apache uwsgi://). Repeatable.'),
  fastcgi: listener('--fastcgi', 'Listen here for FastCGI (nginx fastcgi_pass, Apache fcgi://). Repeatable.'),
  scgi: listener('--scgi', 'Listen here for SCGI (nginx scgi_pass, Apache scgi://). Repeatable.'),
  http: listener('--http', 'Listen here for HTTP/1.1, without a front server. Repeatable.'),
  socket: listener('--socket', 'Listen here for any of these; the first byte of a connection tells which. Repeatable.'),

  socketMode: option({
    flag: '--socket-mode',
    section: 'Sockets',
    kind: octalMode,
    default: '0660',
    help: 'Mode of Unix sockets: who may connect.',
    reload: false,
  }),
  socketOwner: option({
    flag: '--socket-owner',
    section: 'Sockets',
    kind: optional(account('USER')),
    help: 'Owner of Unix sockets. Needs root.',
    reload: false,
  }),
  socketGroup: option({
    flag: '--socket-group',
    section: 'Sockets',
    kind: optional(account('GROUP')),
    help: "Group of Unix sockets, as a rule the front server's: www-data.",
    reload: false,
  }),
  backlog: option({
    flag: '--backlog',
    section: 'Sockets',
    kind: count(1, 65_535),
    default: '2048',
    help: 'Connections that the kernel queues. It takes no more than net.core.somaxconn.',
    reload: false,
  }),
  allowFrom: option({
    flag: '--allow-from',
    section: 'Sockets',
    kind: list(cidr),
    help: 'Peers that may connect over TCP, besides those on this machine. Repeatable.',
    reload: true,
  }),

  tlsCert: option({
    flag: '--tls-cert',
    section: 'Sockets',
    kind: optional(path('FILE')),
    help: 'Speak TLS on every TCP listener, with this certificate and its chain (PEM). Unix sockets stay as they are.',
    reload: true,
  }),
  tlsKey: option({
    flag: '--tls-key',
    section: 'Sockets',
    kind: optional(path('FILE')),
    help: 'Private key of the certificate (PEM). Read by the master, so it may be readable by root alone.',
    reload: true,
  }),
  tlsClientCa: option({
    flag: '--tls-client-ca',
    section: 'Sockets',
    kind: optional(path('FILE')),
    help: 'Accept only peers with a certificate from these authorities (PEM): mutual TLS.',
    reload: true,
  }),
  proxyProtocol: option({
    flag: '--proxy-protocol',
    section: 'Sockets',
    kind: flag,
    default: false,
    help: 'Every connection begins with a PROXY protocol header, version 1 or 2, from a load balancer in front.',
    reload: true,
  }),

  application: option({
    flag: '--app',
    section: 'Application',
    kind: optional({ ...text, placeholder: 'APP', expected: 'path/to/file.ts or path/to/file.ts:export' }),
    help: 'The application, where it is not given as an argument: path/to/file.ts or path/to/file.ts:export.',
    reload: false,
  }),
  interface: option({
    flag: '--interface',
    section: 'Application',
    kind: choice(['auto', 'tsgi', 'fetch', 'node', 'async']),
    default: 'auto',
    help: 'What the application exports: told from the export itself, or named here.',
    reload: true,
  }),
  tsLoader: option({
    flag: '--ts-loader',
    section: 'Application',
    kind: choice(['auto', 'native', 'tsx']),
    default: 'auto',
    help: "How TypeScript is loaded: Node's own type stripping, or tsx. auto takes Node's where it is enough.",
    reload: true,
  }),
  mount: option({
    flag: '--mount',
    section: 'Application',
    kind: list(urlPrefix),
    help: 'Path under which the application answers: it becomes SCRIPT_NAME. Repeatable.',
    reload: true,
  }),
  env: option({
    flag: '--env',
    section: 'Application',
    kind: variables(),
    help: "Set a variable in the workers' environment (process.env). Repeatable.",
    reload: true,
  }),
  environ: option({
    flag: '--environ',
    section: 'Application',
    kind: variables(),
    help: 'Set a variable in the environ of every request; what the front server sends is stronger. Repeatable.',
    reload: true,
  }),
  chdir: option({
    flag: '--chdir',
    section: 'Application',
    kind: optional(path('DIR')),
    help: 'Change to this folder first; other relative paths start there.',
    reload: false,
  }),

  workers: option({
    flag: '--workers',
    section: 'Workers',
    kind: workerCount,
    default: 'auto',
    help: 'Worker processes. auto is the number of CPUs that this process may use, cgroup limits included.',
    reload: true,
  }),
  maxConcurrency: option({
    flag: '--max-concurrency',
    section: 'Workers',
    kind: count(0),
    default: '0',
    help: 'Requests that one worker runs at once; at the cap it leaves connections to the others. 0: no cap.',
    reload: true,
  }),
  maxRequests: option({
    flag: '--max-requests',
    section: 'Workers',
    kind: count(0),
    default: '0',
    help: 'Replace a worker after this many requests. 0: never.',
    reload: true,
  }),
  maxRequestsJitter: option({
    flag: '--max-requests-jitter',
    section: 'Workers',
    kind: count(0),
    default: '0',
    help: 'Up to this many requests more, drawn once for each worker, so that they are not replaced together.',
    reload: true,
  }),
  maxMemoryBytes: option({
    flag: '--max-memory',
    section: 'Workers',
    kind: byteSize,
    default: '0',
    help: 'Replace a worker whose resident memory exceeds this. 0: never.',
    reload: true,
  }),
  maxLifetimeMs: option({
    flag: '--max-lifetime',
    section: 'Workers',
    kind: duration,
    default: '0',
    help: 'Replace a worker that has run this long. 0: never.',
    reload: true,
  }),

  requestTimeoutMs: seconds(
    '--request-timeout',
    '0',
    'Abort a request that runs longer, with 504 if its head is not sent. 0: never.',
  ),
  gracefulTimeoutMs: seconds(
    '--graceful-timeout',
    '30',
    'Time that a stopping or replaced worker has to finish its requests.',
  ),
  bootTimeoutMs: seconds(
    '--boot-timeout',
    '60',
    'Time that a worker has to load the application and accept. 0: no limit.',
  ),
  heartbeatTimeoutMs: seconds(
    '--heartbeat-timeout',
    '30',
    'Kill a worker whose event loop has not turned for this long. 0: never.',
  ),
  readTimeoutMs: seconds(
    '--read-timeout',
    '60',
    'Close a connection that has sent no whole request head, or whose body stalls, for this long. 0: never.',
  ),
  closeTimeoutMs: seconds(
    '--close-timeout',
    '5',
    'Time that the close of a response body may take before the worker goes on without it. 0: no limit.',
  ),
  lingerTimeoutMs: seconds(
    '--linger-timeout',
    '30',
    'Time to read on what the client still sends of a body after the response. 0: do not read on.',
  ),

  maxBodyBytes: option({
    flag: '--max-body',
    section: 'Limits',
    kind: byteSize,
    default: '100m',
    help: 'Largest request body; a larger one is answered 413. 0: no limit.',
    reload: true,
  }),
  maxParamsBytes: option({
    flag: '--max-params-bytes',
    section: 'Limits',
    kind: byteSize,
    default: '128k',
    help: 'Bytes of all variables (request head) of one request. The uwsgi protocol itself stops at 65535.',
    reload: true,
  }),
  maxParams: option({
    flag: '--max-params',
    section: 'Limits',
    kind: count(1),
    default: '1000',
    help: 'Number of variables (header fields included) of one request.',
    reload: true,
  }),
  halfClose: option({
    flag: '--half-close',
    section: 'Limits',
    kind: choice(['abort', 'ignore']),
    default: 'abort',
    help: 'What it means when a peer ends its side before the response: it has left (abort), or nothing (ignore).',
    reload: true,
  }),

  control: option({
    flag: '--control',
    section: 'Operations',
    kind: optional(address),
    help: 'Control socket, for tsgi ctl. A Unix socket that only the owner can open.',
    reload: false,
  }),
  stats: option({
    flag: '--stats',
    section: 'Operations',
    kind: optional(address),
    help: 'Serve statistics as JSON here, in the form that uwsgitop reads.',
    reload: false,
  }),
  metrics: option({
    flag: '--metrics',
    section: 'Operations',
    kind: optional(address),
    help: 'Serve metrics for Prometheus here, over HTTP.',
    reload: false,
  }),
  pidfile: option({
    flag: '--pidfile',
    section: 'Operations',
    kind: optional(path('FILE')),
    help: "Write the master's process id to this file.",
    reload: false,
  }),
  user: option({
    flag: '--user',
    section: 'Operations',
    kind: optional(account('USER')),
    help: 'Run the workers as this user. Needs root.',
    reload: false,
  }),
  group: option({
    flag: '--group',
    section: 'Operations',
    kind: optional(account('GROUP')),
    help: 'Run the workers as this group. Needs root.',
    reload: false,
  }),
  config: option({
    flag: '--config',
    section: 'Operations',
    kind: optional(path('FILE')),
    help: 'Read this configuration file instead of tsgi.config.ts, .js, .mjs or .json in the current folder.',
    reload: false,
    notInFile: true,
  }),

  logLevel: option({
    flag: '--log-level',
    section: 'Logs',
    kind: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    help: 'Least important messages that are logged.',
    reload: true,
  }),
  logFormat: option({
    flag: '--log-format',
    section: 'Logs',
    kind: choice(['auto', 'json', 'pretty']),
    default: 'auto',
    help: 'Form of the process log. auto is pretty on a terminal and JSON elsewhere.',
    reload: true,
  }),
  logFile: option({
    flag: '--log-file',
    section: 'Logs',
    kind: optional(path('FILE')),
    help: 'Write the process log to this file instead of standard error.',
    reload: false,
  }),
  accessLog: option({
    flag: '--access-log',
    section: 'Logs',
    kind: { ...text, placeholder: 'FORMAT', expected: 'off, json, combined or a format' },
    default: 'off',
    help: 'One line for each request: off, json, combined, or a format of your own.',
    reload: true,
  }),
  accessLogFile: option({
    flag: '--access-log-file',
    section: 'Logs',
    kind: optional(path('FILE')),
    help: 'Write the access log to this file instead of standard output.',
    reload: true,
  }),

  debug: option({
    flag: '--debug',
    section: 'Development',
    kind: flag,
    default: false,
    help: 'Show errors of the application in the browser, with their stack. Never where strangers can see them.',
    reload: true,
    hidden: true,
  }),
} as const

export type OptionKey = keyof typeof OPTIONS

/** What every part of tsgi reads: plain data, units in the names (`...Ms`, `...Bytes`), paths absolute. */
export type Options = {
  readonly [Key in OptionKey]: (typeof OPTIONS)[Key]['kind'] extends Kind<infer Out, infer _In> ? Out : never
}

type CamelCase<Text extends string> = Text extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Text

type ConfigKey<Key extends OptionKey> = (typeof OPTIONS)[Key] extends { readonly notInFile: true }
  ? never
  : (typeof OPTIONS)[Key]['flag'] extends `--${infer Name}`
    ? CamelCase<Name>
    : never

/** What `tsgi.config.ts` exports. Keys are the flags in camelCase; durations are seconds or `'500ms'`, sizes bytes or `'64k'`. */
export type Config = {
  readonly [Key in OptionKey as ConfigKey<Key>]?: (typeof OPTIONS)[Key]['kind'] extends Kind<infer _Out, infer In>
    ? In
    : never
}

/** A row seen without its types, for code that goes through the whole table. */
export interface AnyOption extends OptionRow<`--${string}`, unknown, unknown> {
  readonly key: OptionKey
  /** `gracefulTimeout`: the key in a configuration file. */
  readonly configKey: string
  /** `TSGI_GRACEFUL_TIMEOUT` */
  readonly variable: string
}

export const OPTION_LIST: readonly AnyOption[] = Object.entries(OPTIONS).map(([key, row]) => {
  const name = row.flag.slice('--'.length)
  return {
    ...row,
    // Object.entries forgets that its keys are those of the literal above.
    key: key as OptionKey,
    configKey: name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    variable: `TSGI_${name.toUpperCase().replaceAll('-', '_')}`,
  }
})

/** Variables of ours that are no options. Those that begin with TSGI_TEST_ are for tsgi's own tests, and not looked at. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  TSGI_ACCEPT: 'auto, fast or documented: forces one way of accepting connections, for tests.',
}
