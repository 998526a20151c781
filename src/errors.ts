/** Every error that tsgi raises, once: who must act on it, what it says, and the exit code or HTTP status it ends in. */

/** Who must act: the operator, the application's author, the front server's configuration, or nobody (the client left). */
export type ErrorKind = 'usage' | 'load' | 'bind' | 'run' | 'protocol' | 'application' | 'client'

interface ErrorRow {
  readonly kind: ErrorKind
  /** The sentence of the generated docs; the message of an instance says the particulars. */
  readonly help: string
  /** For the kinds that end a command: its exit code. */
  readonly exitCode?: 1 | 2 | 3 | 4
  /** The `name` of its instances where applications tell errors apart by it, as they do with DOM exceptions. */
  readonly name?: string
  /** For errors that can still be answered: the status line. Without one the connection is closed. */
  readonly status?: `${number} ${string}`
}

/** Each row keeps its own type: the exit code of a code that has one is a number. */
const table = <const Rows extends Readonly<Record<string, ErrorRow>>>(rows: Rows): TypedRows<Rows> => rows

type TypedRows<Rows> = { readonly [Code in keyof Rows]: ErrorRow & Rows[Code] }

export const ERRORS = table({
  TSGI_USAGE: { kind: 'usage', exitCode: 2, help: 'The command line or the configuration cannot be understood.' },
  TSGI_RUN: { kind: 'run', exitCode: 1, help: 'The command was understood and failed while it ran.' },
  TSGI_LOAD: { kind: 'load', exitCode: 3, help: 'The application could not be loaded.' },
  TSGI_BIND: { kind: 'bind', exitCode: 4, help: 'An address could not be bound.' },

  TSGI_PROTOCOL_TRUNCATED: {
    kind: 'protocol',
    help: 'The connection ended, or fell silent, in the middle of a request.',
  },
  TSGI_PROTOCOL_MALFORMED: { kind: 'protocol', help: 'The bytes are not what this protocol allows here.' },
  TSGI_PROTOCOL_WRONG: { kind: 'protocol', help: 'The bytes belong to another protocol than this socket speaks.' },
  TSGI_PROTOCOL_UNSUPPORTED: {
    kind: 'protocol',
    help: 'A request of a type that tsgi does not serve (modifier1, FastCGI role).',
  },
  TSGI_PROTOCOL_TOO_LARGE: {
    kind: 'protocol',
    status: '431 Request Header Fields Too Large',
    help: 'The variables exceed --max-params-bytes, or there are too many of them.',
  },
  TSGI_PROTOCOL_BAD_REQUEST: {
    kind: 'protocol',
    status: '400 Bad Request',
    help: 'The variables were read but contradict each other or the grammar of their values.',
  },
  TSGI_PROTOCOL_LENGTH_REQUIRED: {
    kind: 'protocol',
    status: '411 Length Required',
    help: "The client sent a chunked body, and the front server (uWSGI's router) passes on neither it nor its length.",
  },
  TSGI_PROTOCOL_BODY_TOO_LARGE: {
    kind: 'protocol',
    status: '413 Content Too Large',
    help: 'The request body exceeds --max-body.',
  },
  TSGI_PROTOCOL_OVERLOADED: {
    kind: 'protocol',
    status: '503 Service Unavailable',
    help: 'One connection carries more requests at once than tsgi allows (FastCGI multiplexing).',
  },

  TSGI_INPUT_TRUNCATED: {
    kind: 'client',
    name: 'InputTruncated',
    status: '400 Bad Request',
    help: 'The request body ended before CONTENT_LENGTH.',
  },
  TSGI_INPUT_TOO_LARGE: {
    kind: 'client',
    name: 'BodyTooLarge',
    status: '413 Content Too Large',
    help: 'A body of unannounced length passed --max-body.',
  },
  TSGI_CLIENT_BAD_URL: {
    kind: 'client',
    name: 'BadRequestUrl',
    status: '400 Bad Request',
    help: 'The Host header and the path of the request make no URL, or one of another host or path.',
  },
  TSGI_CLIENT_DISCONNECTED: {
    kind: 'client',
    name: 'ClientDisconnected',
    help: 'The client, or the front server for it, closed the connection.',
  },
  TSGI_REQUEST_TIMEOUT: {
    kind: 'run',
    name: 'RequestTimeout',
    status: '504 Gateway Timeout',
    help: 'The request ran longer than --request-timeout.',
  },
  TSGI_SERVER_SHUTDOWN: {
    kind: 'run',
    name: 'ServerShutdown',
    status: '503 Service Unavailable',
    help: 'The worker left before the request was done.',
  },

  TSGI_APP_BAD_STATUS: { kind: 'application', help: 'startResponse: the status is not "200 OK"-shaped.' },
  TSGI_APP_BAD_HEADER: { kind: 'application', help: 'startResponse: a header name or value is not allowed.' },
  TSGI_APP_STARTED_TWICE: { kind: 'application', help: 'startResponse was called again without excInfo.' },
  TSGI_APP_NOT_STARTED: { kind: 'application', help: 'Output came before startResponse was called.' },
  TSGI_APP_ENDED: { kind: 'application', help: 'startResponse or write was called after the response ended.' },
  TSGI_APP_WRITE_IN_BODY: { kind: 'application', help: 'write was called after the body was returned.' },
  TSGI_APP_BAD_CHUNK: { kind: 'application', help: 'A chunk is not a Uint8Array.' },
  TSGI_APP_BAD_BODY: { kind: 'application', help: 'The returned value is not an iterable of Uint8Array.' },
  TSGI_APP_TOO_LONG: { kind: 'application', help: 'More bytes were written than Content-Length promised.' },
  TSGI_APP_INPUT_TAKEN: {
    kind: 'application',
    help: 'toNode: another handler, such as a body parser, read the request body before the application could.',
  },
  TSGI_APP_INVALID: { kind: 'application', help: 'validate() found the interface broken, by either side.' },
  TSGI_APP_TOO_SHORT: { kind: 'application', help: 'The body ended before Content-Length was reached.' },
})

export type ErrorCode = keyof typeof ERRORS

/** Callers switch on `code`, never on the text. */
export class TsgiError extends Error {
  readonly code: ErrorCode
  /** An application that catches one may write another `code` into it. */
  readonly #row: ErrorRow

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.#row = ERRORS[code]
    this.name = this.#row.name ?? 'TsgiError'
  }

  /** Asked of whatever an application threw: a Proxy may throw where its prototype is asked for. */
  static override [Symbol.hasInstance](value: unknown): value is TsgiError {
    return typeof value === 'object' && value !== null && #row in value
  }

  get kind(): ErrorKind {
    return this.#row.kind
  }

  /** 1 unless the table says otherwise. */
  get exitCode(): number {
    return this.#row.exitCode ?? 1
  }

  /** The status line to answer with; undefined: nothing can be answered. */
  get status(): `${number} ${string}` | undefined {
    return this.#row.status
  }
}

/** What the application may have thrown, as an Error whose name, message and stack can be read: wrapped for the log only. */
export function asError(thrown: unknown): Error {
  if (!isError(thrown)) {
    return new Error(`a value that is no Error was thrown: ${describe(thrown)}`, { cause: thrown })
  }
  return isSound(thrown) ? thrown : salvaged(thrown)
}

function isSound(error: Error): boolean {
  try {
    return [error.name, error.message, error.stack ?? ''].every((part: unknown) => typeof part === 'string')
  } catch {
    // An accessor of the application's, or a Proxy.
    return false
  }
}

/** What can be read of an error that has something else than text in the place of text. */
function salvaged(error: Error): Error {
  const [name, message, stack] = [partOf(error, 'name'), partOf(error, 'message'), partOf(error, 'stack')]
  const other = message === undefined ? 'an error whose message cannot be read' : describe(message)
  const copy = new Error(typeof message === 'string' ? message : other, { cause: partOf(error, 'cause') })
  if (typeof name === 'string') copy.name = name
  copy.stack = typeof stack === 'string' ? stack : `${copy.name}: ${copy.message}`
  return copy
}

export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error
  } catch {
    // A Proxy that does not tell its prototype.
    return false
  }
}

function partOf(error: Error, key: 'name' | 'message' | 'stack' | 'cause' | 'code'): unknown {
  try {
    return Reflect.get(error, key)
  } catch {
    // As above.
    return undefined
  }
}

/** What the system or Node calls an error: `ENOENT`, `ERR_INVALID_URL`. Undefined where it has no such name. */
export function errorCode(thrown: unknown): string | undefined {
  const code = isError(thrown) ? partOf(thrown, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

/** The error and what caused it, outermost first; a circle of causes ends where it closes. */
export function causes(thrown: unknown): Error[] {
  const found: Error[] = []
  for (let error: unknown = thrown; ; ) {
    const next = asError(error)
    if (found.includes(next) || found.length > 10) return found
    found.push(next)
    const cause = partOf(next, 'cause')
    if (cause === undefined || cause === error) return found
    error = cause
  }
}

/** A short text for any value, safe to put into a message: what an operator needs to recognise it. */
export function describe(value: unknown): string {
  try {
    return textOf(value)
  } catch {
    // A Proxy whose traps throw, or that was revoked; an accessor.
    return `${typeof value === 'function' ? 'a function' : 'an object'} that cannot be looked at`
  }
}

function textOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'function') return value.name === '' ? 'a function' : `function ${value.name}`
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && name !== 'Object' ? `an instance of ${name}` : 'an object'
}
