/** A request without a socket: what tests of applications and of middleware call. The same exchange as in a worker. */

import type { Application, Environ, HeaderList, Outcome } from '../application.ts'
import { TsgiError } from '../errors.ts'
import { splitOnce } from '../split-once.ts'
import { Exchange } from './exchange.ts'
import type { ExchangeServices } from './exchange-services.ts'
import { percentDecoded } from './path.ts'
import { applicationHandler, type Handler } from './request-source.ts'
import type { Sink } from './sink.ts'
import { byteString } from './text.ts'
import { headerVariable } from './variable-names.ts'

export interface MemoryRequest {
  /** Default GET. */
  readonly method?: string
  /** As a client writes it, percent-encoded, with its query. Default `/`. */
  readonly path?: string
  readonly headers?: HeaderList
  readonly body?: Uint8Array | string
  /** Further variables, stronger than what follows from the above. */
  readonly params?: Readonly<Record<string, string>>
  /** The client leaves: the request is aborted as a closed connection would. */
  readonly signal?: AbortSignal
}

interface MemoryResponse {
  /** 0 when the response broke off before its head. */
  readonly status: number
  /** As sent: `200 OK`. */
  readonly statusLine: string
  readonly headers: HeaderList
  readonly body: Uint8Array
  /** The body in UTF-8. */
  readonly text: string
  /** The chunks as they were handed to the transport. */
  readonly chunks: readonly Uint8Array[]
  /** False when the response was cut short. */
  readonly complete: boolean
  /** What went to `tsgi.errors`, line by line. */
  readonly errorLines: readonly string[]
  /** What the gateway would have logged as the application's failure. */
  readonly errors: readonly unknown[]
  readonly warnings: readonly string[]
  readonly outcome: Outcome
  readonly environ: Environ | undefined
}

/** Calls the application once. Resolves when the response is out, the body is closed and all callbacks ran. */
export function requestInMemory(
  application: Application,
  request: MemoryRequest = {},
  overrides: Partial<ExchangeServices<Exchange>> = {},
): Promise<MemoryResponse> {
  return answerInMemory(applicationHandler(application), request, overrides)
}

/** The same of a handler. */
export async function answerInMemory(
  handler: Handler,
  request: MemoryRequest = {},
  overrides: Partial<ExchangeServices<Exchange>> = {},
): Promise<MemoryResponse> {
  const sink = new MemorySink()
  const errorLines: string[] = []
  const errors: unknown[] = []
  const warnings: string[] = []
  const body = typeof request.body === 'string' ? Buffer.from(request.body) : request.body
  let finished: (exchange: Exchange) => void = () => undefined
  const over = new Promise<Exchange>((resolve) => {
    finished = resolve
  })
  const exchange = new Exchange(sink, {
    environ: { variables: [], mounts: [], multiprocess: false, concurrent: true },
    maxBodyBytes: 0,
    closeTimeoutMs: 5000,
    extensions: [],
    fileSize: () => undefined,
    applicationError: (_exchange, error) => errors.push(error),
    refused: (_exchange, error) => warnings.push(error.message),
    warn: (_exchange, message, error) => warnings.push(error === undefined ? message : `${message}: ${String(error)}`),
    errorLine: (_exchange, line) => errorLines.push(line),
    done: (exchange) => finished(exchange),
    left: () => undefined,
    ...overrides,
  })
  exchange.run(handler, paramsOf(request, body))
  if (body !== undefined && body.length > 0) exchange.input.push(body)
  exchange.input.end()
  const leave = (): void => exchange.abort(new TsgiError('TSGI_CLIENT_DISCONNECTED', 'the client left'))
  if (request.signal?.aborted === true) leave()
  else request.signal?.addEventListener('abort', leave, { once: true })
  const done = await over
  const bytes = Buffer.concat(sink.chunks)
  return {
    status: done.outcome.status,
    statusLine: sink.statusLine,
    headers: sink.headers,
    body: bytes,
    text: bytes.toString('utf8'),
    chunks: sink.chunks,
    complete: sink.complete,
    errorLines,
    errors,
    warnings,
    outcome: done.outcome,
    environ: done.isRead ? done.environ : undefined,
  }
}

function paramsOf(request: MemoryRequest, body: Uint8Array | undefined): string[] {
  const target = request.path ?? '/'
  const [path, query] = splitOnce(target, '?')
  const variables: Record<string, string> = {
    REQUEST_METHOD: request.method ?? 'GET',
    REQUEST_URI: target,
    PATH_INFO: percentDecoded(byteString(path)),
    QUERY_STRING: query,
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REMOTE_ADDR: '127.0.0.1',
  }
  if (body !== undefined) variables['CONTENT_LENGTH'] = String(body.length)
  const params: string[] = []
  for (const [name, value] of request.headers ?? []) {
    const variable = headerVariable(name)
    if (!variable.startsWith('HTTP_')) variables[variable] = value
    else params.push(variable, value)
  }
  return [...Object.entries({ ...variables, ...request.params }).flat(), ...params]
}

class MemorySink implements Sink {
  statusLine = ''
  headers: HeaderList = []
  readonly chunks: Uint8Array[] = []
  complete = false
  readonly saturated = false
  readonly bodyComesLate = true
  readonly upgrade = undefined
  readonly earlyHints = undefined

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    this.statusLine = status
    this.headers = headers
    if (chunk !== undefined) this.chunk(chunk)
    if (last) this.complete = true
  }

  chunk(bytes: Uint8Array): void {
    this.chunks.push(new Uint8Array(bytes))
  }

  end(): void {
    this.complete = true
  }

  abort(): void {
    this.complete = false
  }

  async drained(): Promise<void> {
    await Promise.resolve()
  }

  flow(): void {
    // The body was given whole: there is no socket to pause.
  }
}
