/** One HTTP request of an async application: receive from `tsgi.input`, send to startResponse and write. */

import type { Body, StartResponse, Write } from '../../application.ts'
import { asError, describe, TsgiError } from '../../errors.ts'
import { mayHaveBody, type RequestSource } from '../../gateway/request-source.ts'
import { followsFrom, mayGoUnheard } from './client-left.ts'
import { ResponseStart } from './response-start.ts'
import type { AsyncApp, HttpScope, Messages } from './types.ts'

type Received = Messages['http']['receive']
type Sent = Messages['http']['send']

const DISCONNECT: Received = { type: 'http.disconnect' }
const EMPTY = new Uint8Array(0)
const NOTHING: readonly Uint8Array[] = []

/** Resolves with the response's last part as soon as it is sent, not when the application returns. */
export function runHttp(
  app: AsyncApp,
  scope: HttpScope,
  source: RequestSource,
  startResponse: StartResponse,
): Promise<Body> {
  const response = new AsyncResponse(source, startResponse)
  const body = new RequestBody(source, response)
  const running = app(
    scope,
    () => body.receive(),
    // asyncApp and the caller of an unmarked application see to it that http messages come to an http scope; `send` checks.
    (message) => mayGoUnheard(response.send(message as Sent), () => response.hasLeft),
  )
  const returned = running.then(
    () => response.returned(),
    (error: unknown) => response.failed(error),
  )
  // Looked at below, which may be later than Node waits before it calls a rejection unhandled.
  returned.catch(() => undefined)
  // What the application does after its response is part of the request, and its errors are still errors.
  source.after(() => {
    response.requestOver()
    return returned
  })
  return response.body
}

/** A promise and its handle. */
interface Deferred<Value> {
  readonly promise: Promise<Value>
  resolve(value: Value): void
  reject(error: unknown): void
}

function deferred<Value>(): Deferred<Value> {
  let settle: Omit<Deferred<Value>, 'promise'> | undefined
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject }
  })
  if (settle === undefined) throw new Error('a Promise calls its executor at once')
  return { promise, ...settle }
}

class RequestBody {
  readonly #source: RequestSource
  readonly #response: AsyncResponse
  #chunks: AsyncIterator<Uint8Array> | undefined
  #isRead = false
  #left: number

  constructor(source: RequestSource, response: AsyncResponse) {
    this.#source = source
    this.#response = response
    this.#left = Number(source.variables.contentLength ?? Number.POSITIVE_INFINITY)
  }

  async receive(): Promise<Received> {
    if (this.#isRead) return this.#disconnected()
    if (!mayHaveBody(this.#source.variables)) {
      this.#isRead = true
      return { type: 'http.request', body: EMPTY, moreBody: false }
    }
    this.#chunks ??= this.#source.input[Symbol.asyncIterator]()
    let result: IteratorResult<Uint8Array>
    try {
      result = await this.#chunks.next()
    } catch (error) {
      if (!isEndOfClient(error)) throw error
      this.#isRead = true
      this.#response.bodyFailed(error)
      return DISCONNECT
    }
    const body = result.done === true ? EMPTY : result.value
    this.#left -= body.length
    this.#isRead = result.done === true || this.#left <= 0
    return { type: 'http.request', body, moreBody: !this.#isRead }
  }

  /** Pending until the client leaves or the response is out: never an end of the body that nobody sent. */
  async #disconnected(): Promise<Received> {
    await this.#response.over
    return DISCONNECT
  }
}

/**
 * What the client did to its own request: ASGI 3 tells that by a message. A rejection would end the worker where nobody handles it, and
 * whoever only waits for the client to leave, beside the work, handles none.
 */
const isEndOfClient = (error: unknown): boolean =>
  error instanceof TsgiError && (error.kind === 'client' || error.code === 'TSGI_APP_ENDED')

/** Not aborted: something around the application has answered in its place. */
const whyOver = ({ aborted, reason }: AbortSignal): unknown =>
  aborted ? reason : new TsgiError('TSGI_APP_ENDED', 'the response ended before the application sent it')

class AsyncResponse {
  readonly #source: RequestSource
  readonly #startResponse: StartResponse
  readonly #start: ResponseStart
  readonly #body: Deferred<Body> = deferred()
  readonly #over: Deferred<void> = deferred()
  #write: Write | undefined
  #isDone = false
  #hasLeft = false
  /** Why no more of the request body comes. */
  #bodyFailure: unknown

  constructor(source: RequestSource, startResponse: StartResponse) {
    this.#source = source
    this.#startResponse = startResponse
    this.#start = new ResponseStart(startResponse)
  }

  get body(): Promise<Body> {
    return this.#body.promise
  }

  /** The request ended before its response was complete. */
  get hasLeft(): boolean {
    return this.#hasLeft
  }

  get over(): Promise<void> {
    return this.#over.promise
  }

  async send(message: Sent): Promise<void> {
    if (this.#hasLeft) throw whyOver(this.#source.signal())
    switch (message.type) {
      case 'http.response.start':
        if (this.#write !== undefined) throw new Error('http.response.start was sent a second time')
        this.#write = this.#start.begin(message)
        return
      case 'http.response.body':
        return this.#sendBody(message.body ?? EMPTY, message.moreBody === true)
      case 'http.response.file':
        return this.#sendFile(message)
      case 'http.response.early_hint':
        await this.#source.earlyHints?.(
          this.#startResponse,
          message.links.map((link) => ['Link', link]),
        )
        return
      default:
        throw new TypeError(`an http connection cannot send ${describe(Reflect.get(Object(message), 'type'))}`)
    }
  }

  /** Where the application does not answer that itself, the gateway does. */
  bodyFailed(error: unknown): void {
    this.#bodyFailure ??= error
  }

  /** Called by the gateway once; a response that is not complete by then never will be. The signal is made only then. */
  requestOver(): void {
    this.#hasLeft = !this.#isDone
    this.#over.resolve()
  }

  /** The application returned. */
  returned(): void {
    if (this.#isDone) return
    const missing = this.#write === undefined ? 'without http.response.start' : 'before the last http.response.body'
    this.#end()
    this.#body.reject(this.#bodyFailure ?? new Error(`the application returned ${missing}`))
  }

  /** @throws the application's error where no response can tell of it any more: it is logged and changes nothing */
  failed(error: unknown): void {
    const isOver = this.#isDone || this.#hasLeft
    const isLeaving = this.#hasLeft && followsFrom(this.#source.signal(), error)
    this.#end()
    // Also where nobody waits for a response: the request counts as at work until this is settled.
    this.#body.reject(error)
    if (isOver && !isLeaving) throw asError(error)
  }

  #sendBody(chunk: Uint8Array, isMore: boolean): Promise<void> | undefined {
    const write = this.#checkStarted('http.response.body')
    if (!(chunk instanceof Uint8Array)) throw new TypeError(`body must be a Uint8Array, not ${describe(chunk)}`)
    if (isMore) return write(chunk)
    this.#end()
    this.#body.resolve(chunk.length === 0 ? NOTHING : [chunk])
    return undefined
  }

  #sendFile({ path, start, end }: { path: string; start?: number; end?: number }): void {
    this.#checkStarted('http.response.file')
    const wrap = this.#source.environ['tsgi.file_wrapper']
    if (wrap === undefined) throw new Error('http.response.file: this server does not have the extension')
    const body = wrap({ path, ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) })
    this.#end()
    this.#body.resolve(body)
  }

  #checkStarted(type: string): Write {
    if (this.#isDone) throw new Error(`${type} was sent after the response was complete`)
    if (this.#write === undefined) throw new Error(`${type} was sent before http.response.start`)
    return this.#write
  }

  #end(): void {
    this.#isDone = true
    this.#over.resolve()
  }
}
