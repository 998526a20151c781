/** An Application called from inside another interface: the same exchange as in a worker, over a sink of that interface. */

import type { Environ } from '../application.ts'
import { TsgiError } from '../errors.ts'
import { Exchange } from '../gateway/exchange.ts'
import type { ExchangeServices } from '../gateway/exchange-services.ts'
import { splitHost } from '../gateway/host.ts'
import { percentDecoded } from '../gateway/path.ts'
import type { Sink } from '../gateway/sink.ts'
import { headerVariable, isUnambiguous } from '../gateway/variable-names.ts'
import { splitOnce } from '../split-once.ts'

export interface EmbeddedOptions {
  /** The application failed, or the gateway has something to say. Default: console.error. */
  readonly onError?: (error: unknown) => void
}

const CLOSE_TIMEOUT_MS = 5000

/** @param state of the outer interface, where it has some: `tsgi.state` */
export function createExchange(
  sink: Sink,
  options: EmbeddedOptions,
  environ: Environ | undefined,
  state = environ?.['tsgi.state'],
): Exchange {
  const report = options.onError ?? ((error: unknown) => console.error(error))
  const services: ExchangeServices<Exchange> = {
    environ: {
      variables: [],
      mounts: [],
      multiprocess: environ?.['tsgi.multiprocess'] ?? false,
      concurrent: environ?.['tsgi.concurrent'] ?? true,
    },
    maxBodyBytes: 0,
    closeTimeoutMs: CLOSE_TIMEOUT_MS,
    extensions: extensionsOf(environ?.['tsgi.file_wrapper'], state),
    fileSize: () => undefined,
    applicationError: (_exchange, error) => report(error),
    refused: (_exchange, error) => report(error),
    warn: (_exchange, message, error) => report(error ?? new Error(message)),
    errorLine: (_exchange, line) => (environ === undefined ? report(line) : environ['tsgi.errors'].write(`${line}\n`)),
    done: () => undefined,
    left: () => undefined,
  }
  return new Exchange(sink, services)
}

/** The variables of an outer environ as a gateway would send them: what a middleware changed is what is passed on. */
export function paramsOfEnviron(environ: Readonly<Environ>): string[] {
  return Object.entries(environ).flatMap(([name, value]) =>
    typeof value === 'string' && !name.startsWith('tsgi.') ? [name, value] : [],
  )
}

export interface Described {
  readonly method: string
  /** Origin form: `/path?query`. */
  readonly target: string
  /** What of the path of `target`, as it stands there, is SCRIPT_NAME: `''` or `/x`. Default `''`. */
  readonly mount?: string
  readonly scheme: string
  readonly protocol: string
  readonly host: string | undefined
  readonly headers: Iterable<readonly [name: string, value: string]>
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

/** The variables of a request that no gateway has seen. */
export function paramsOf(request: Described): string[] {
  const [path, query] = splitOnce(request.target, '?')
  const { mount = '' } = request
  const { name, port = '' } = splitHost(request.host ?? '')
  const params = [
    ...['REQUEST_METHOD', request.method, 'REQUEST_URI', request.target, 'REQUEST_SCHEME', request.scheme],
    ...['SCRIPT_NAME', percentDecoded(mount), 'PATH_INFO', percentDecoded(path.slice(mount.length))],
    ...['QUERY_STRING', query],
    ...['SERVER_PROTOCOL', request.protocol, 'SERVER_NAME', name, 'SERVER_PORT', port],
  ]
  if (request.remoteAddress !== undefined) params.push('REMOTE_ADDR', request.remoteAddress)
  if (request.remotePort !== undefined) params.push('REMOTE_PORT', String(request.remotePort))
  for (const [header, value] of request.headers) {
    if (isUnambiguous(header)) params.push(headerVariable(header), value)
  }
  return params
}

export function clientLeft(): TsgiError {
  return new TsgiError('TSGI_CLIENT_DISCONNECTED', 'the client left')
}

/** @param signal of the outer interface, which takes its reason for the client's leaving and anything else for a failure */
export function brokenOff(signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : new Error('the response broke off')
}

function extensionsOf(
  wrapper: Environ['tsgi.file_wrapper'],
  state: Environ['tsgi.state'],
): ExchangeServices<Exchange>['extensions'] {
  return [
    ...(wrapper === undefined ? [] : [['tsgi.file_wrapper', wrapper] as const]),
    ...(state === undefined ? [] : [['tsgi.state', state] as const]),
  ]
}
