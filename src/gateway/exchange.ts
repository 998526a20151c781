/**
 * One request's life: the application is called, its head is kept until the first byte, its body is pulled and closed.
 * Always ends, whatever the application does (PEP 3333, "Specification Details" and "Error Handling").
 */

import type {
  Application,
  Environ,
  HeaderList,
  Outcome,
  StartResponse,
  Status,
  Upgraded,
  Write,
} from '../application.ts'
import { describe, TsgiError } from '../errors.ts'
import type { Params } from '../protocol/codec.ts'
import { isBytes } from './chunk.ts'
import { buildEnviron, type EnvironSettings } from './environ.ts'
import { ErrorLines } from './error-lines.ts'
import { checkHead, type Head } from './head-checks.ts'
import { RequestInput } from './input.ts'
import { isPromiseLike } from './promise-like.ts'
import { BodyPull, badChunk, type ChunkTaker } from './pull.ts'
import { finalHeaders, isBodyless, statusWithReason } from './response-rules.ts'
import type { Sink } from './sink.ts'

/** What a worker gives to every exchange. */
export interface ExchangeServices {
  readonly environ: EnvironSettings
  /** 0: no limit */
  readonly maxBodyBytes: number
  readonly closeTimeoutMs: number
  /** Keys that the worker adds to every environ: `tsgi.file_wrapper`, `tsgi.state`. */
  readonly extensions: Readonly<Record<`tsgi.${string}`, unknown>>
  /** Bytes of a file body as far as they are known before it is opened; undefined for every other body. */
  fileSize(body: unknown): Promise<number | undefined> | undefined
  /** The application failed: once per failure, with the stack. */
  applicationError(exchange: Exchange, error: unknown): void
  /** Worth a line, but the response is as the application wanted it: a cut body, an error while closing. */
  warn(exchange: Exchange, message: string, error?: unknown): void
  errorLine(exchange: Exchange, line: string): void
  /** The response is out, the body is closed, the callbacks ran. Called once. */
  done(exchange: Exchange): void
}

type Phase =
  /** Nothing was sent. */
  | 'head'
  /** The head was sent. */
  | 'body'
  /** The application has the connection (a 101). */
  | 'upgraded'
  | 'ended'

/** Small bodies of several chunks go out as one. */
const JOIN_BYTES = 65_536

export class Exchange implements ChunkTaker {
  readonly input: RequestInput
  readonly startedMs: number = performance.now()
  readonly #sink: Sink
  readonly #services: ExchangeServices
  readonly #errors = new ErrorLines((line) => this.#services.errorLine(this, line))
  #environ: Environ | undefined
  #method = ''
  #phase: Phase = 'head'
  #head: Head | undefined
  /** startResponse was called, be it in vain: a second call needs excInfo. */
  #called = false
  /** The application returned: nothing may be written any more. */
  #returned = false
  #sentHeaders: HeaderList = []
  #sentStatus = 0
  #bodyless = false
  #sentBytes = 0
  #aborted = false
  #error: unknown
  #body: BodyPull | undefined
  /** Bytes of the whole body where the gateway can count them and the application did not. */
  #knownLength: number | undefined
  #done = false
  #controller: AbortController | undefined
  #abortReason: unknown
  #callbacks: ((outcome: Outcome) => unknown)[] | undefined

  constructor(sink: Sink, services: ExchangeServices) {
    this.#sink = sink
    this.#services = services
    this.input = new RequestInput(services.maxBodyBytes)
    this.input.onFlow((wanted) => sink.flow(wanted))
  }

  get environ(): Environ | undefined {
    return this.#environ
  }

  get ended(): boolean {
    return this.#phase === 'ended'
  }

  /** The headers as sent; empty before. */
  get sentHeaders(): HeaderList {
    return this.#sentHeaders
  }

  get outcome(): Outcome {
    const outcome = { status: this.#sentStatus, bytes: this.#sentBytes, aborted: this.#aborted }
    return this.#error === undefined ? outcome : { ...outcome, error: this.#error }
  }

  /** Calls the application, unless the variables are refused. Never throws. */
  run(application: Application, params: Params): void {
    const { upgrade, earlyHints } = this.#sink
    const environ = buildEnviron(params, this.#services.environ, {
      input: this.input,
      errors: this.#errors,
      after: (callback) => this.#after(callback),
      signal: () => this.#makeSignal(),
      upgrade: upgrade && ((start) => this.#upgrade(start, upgrade)),
      earlyHints: earlyHints && ((start, headers) => this.#hint(start, headers, earlyHints)),
      extensions: this.#services.extensions,
    })
    if (environ instanceof TsgiError) {
      this.#method = variableOf(params, 'REQUEST_METHOD') ?? ''
      this.refuse(environ)
      return
    }
    this.#environ = environ
    this.#method = environ.REQUEST_METHOD
    const { maxBodyBytes } = this.#services
    if (maxBodyBytes > 0 && Number(environ.CONTENT_LENGTH ?? 0) > maxBodyBytes) {
      const message = `a request body of ${environ.CONTENT_LENGTH} bytes; allowed are ${maxBodyBytes} (--max-body)`
      this.refuse(new TsgiError('TSGI_PROTOCOL_BODY_TOO_LARGE', message))
      return
    }
    let returned: unknown
    try {
      returned = application(environ, this.#startResponse)
      if (isPromiseLike(returned)) {
        returned.then(
          (body) => this.#take(body),
          (error: unknown) => this.failed(error),
        )
        return
      }
    } catch (error) {
      this.failed(error)
      return
    }
    this.#take(returned)
  }

  /** Answers with the status of `error` and the application is not called. */
  refuse(error: TsgiError): void {
    this.#error = error
    this.#services.warn(this, error.message)
    this.#answer(error.status ?? '400 Bad Request')
    this.#finish()
  }

  /** The client left, the time is over, the worker goes: whatever the application still does has no effect. */
  abort(reason: TsgiError): void {
    if (this.#phase === 'ended') return
    this.#error = reason
    this.#aborted = true
    if (this.#phase === 'head' && reason.status !== undefined) this.#answer(reason.status)
    else this.#sink.abort()
    this.#finish(reason)
  }

  readonly #startResponse: StartResponse = (status: Status, headers: HeaderList, excInfo?: unknown): Write => {
    if (this.#phase === 'ended')
      throw new TsgiError('TSGI_APP_ENDED', 'startResponse was called after the response ended')
    if (excInfo !== undefined) {
      if (this.#phase !== 'head') throw excInfo
    } else if (this.#called) {
      throw new TsgiError('TSGI_APP_STARTED_TWICE', 'startResponse was called a second time without excInfo')
    }
    this.#called = true
    this.#head = undefined
    this.#head = checkHead(status, headers)
    return this.#write
  }

  readonly #write: Write = (chunk: Uint8Array): Promise<void> => {
    if (this.#phase === 'ended') {
      if (this.#aborted) return rejectedQuietly(this.#error)
      throw new TsgiError('TSGI_APP_ENDED', 'write was called after the response ended')
    }
    if (this.#returned) throw new TsgiError('TSGI_APP_WRITE_IN_BODY', 'write was called after the body was returned')
    if (!isBytes(chunk)) throw badChunk(chunk)
    const head = this.#head
    if (head === undefined)
      throw new TsgiError('TSGI_APP_NOT_STARTED', 'write was called after a startResponse that failed')
    const allowed = this.#allowedPart(chunk, head)
    this.#emit(head, allowed)
    if (allowed.length < chunk.length) {
      throw new TsgiError(
        'TSGI_APP_TOO_LONG',
        `write: ${chunk.length - allowed.length} bytes more than the Content-Length of ${head.contentLength}`,
      )
    }
    return this.#sink.saturated ? this.#sink.drained() : Promise.resolve()
  }

  async #upgrade(start: StartResponse, takeOver: () => Upgraded): Promise<Upgraded> {
    this.#checkOwn(start, 'tsgi.upgrade')
    if (this.#phase !== 'head') throw new TsgiError('TSGI_APP_ENDED', 'tsgi.upgrade: the response has begun already')
    this.#phase = 'upgraded'
    this.#sentStatus = 101
    const upgraded = takeOver()
    upgraded.socket.once('close', () => {
      if (this.#phase === 'upgraded') this.#finish()
    })
    return upgraded
  }

  async #hint(start: StartResponse, headers: HeaderList, send: (headers: HeaderList) => void): Promise<boolean> {
    this.#checkOwn(start, 'tsgi.early_hints')
    const { headers: checked } = checkHead('200 OK', headers)
    if (this.#phase !== 'head') return false
    send(checked)
    return true
  }

  /** PEP 3333: an extension takes the thing it stands in for, so that middleware which replaced it is not bypassed. */
  #checkOwn(start: StartResponse, key: string): void {
    if (start !== this.#startResponse) {
      throw new TypeError(`${key} wants the startResponse of this request; a middleware has replaced it`)
    }
  }

  get saturated(): boolean {
    return this.#sink.saturated
  }

  drained(): Promise<void> {
    return this.#sink.drained()
  }

  #take(body: unknown): void {
    this.#returned = true
    if (this.#phase === 'upgraded') return
    this.#body = new BodyPull(body, this)
    if (this.#phase === 'ended') {
      this.#close()
      return
    }
    if (Array.isArray(body)) {
      this.#sendArray(body, this.#body)
      return
    }
    const size = this.#services.fileSize(body)
    if (size === undefined) this.#body.start()
    else
      size.then(
        (bytes) => this.#sendFile(bytes),
        (error: unknown) => this.failed(error),
      )
  }

  #sendFile(bytes: number | undefined): void {
    if (this.#phase === 'ended') return
    const head = this.#head
    if (this.#phase === 'head' && bytes !== undefined && head !== undefined && head.contentLength === undefined) {
      this.#head = { ...head, headers: [...head.headers, ['Content-Length', String(bytes)]], contentLength: bytes }
    }
    this.#body?.start()
  }

  /** Only an array has a length that can be trusted: the common response is one write. */
  #sendArray(chunks: readonly unknown[], pull: BodyPull): void {
    const total = totalBytes(chunks)
    if (typeof total !== 'number') {
      this.failed(total)
      return
    }
    const head = this.#head
    if (this.#phase !== 'head' || head === undefined || total > JOIN_BYTES || (head.contentLength ?? total) !== total) {
      this.#knownLength = total
      pull.start()
      return
    }
    const bodyless = isBodyless(this.#method, head.code)
    if (bodyless && total > 0) this.#noteDroppedBody(head.code)
    this.#sendHead(head, bodyless || total === 0 ? undefined : joined(chunks, total), true, total)
    this.#finish()
  }

  take(chunk: Uint8Array): boolean {
    const head = this.#head
    if (head === undefined) {
      this.failed(notStarted())
      return false
    }
    const allowed = this.#allowedPart(chunk, head)
    if (allowed.length > 0) this.#emit(head, allowed)
    if (this.#bodyless) {
      this.#noteDroppedBody(head.code)
      this.#finish()
      return false
    }
    if (allowed.length === chunk.length) return true
    this.#services.warn(this, `the body is longer than its Content-Length of ${head.contentLength}: cut`)
    if (this.#phase === 'head') this.#sendHead(head, undefined, true, undefined)
    else this.#sink.end()
    this.#finish()
    return false
  }

  /** The body ended by itself. */
  exhausted(): void {
    const head = this.#head
    if (head === undefined) {
      this.failed(notStarted())
      return
    }
    const bodyless = isBodyless(this.#method, head.code)
    if (!bodyless && head.contentLength !== undefined && this.#sentBytes < head.contentLength) {
      this.failed(
        new TsgiError(
          'TSGI_APP_TOO_SHORT',
          `the body ended after ${this.#sentBytes} of the ${head.contentLength} bytes that Content-Length promised`,
        ),
      )
      return
    }
    if (this.#phase === 'head') this.#sendHead(head, undefined, true, this.#knownLength)
    else if (!this.#bodyless) this.#sink.end()
    this.#finish()
  }

  /** As much of the chunk as Content-Length still allows. */
  #allowedPart(chunk: Uint8Array, head: Head): Uint8Array {
    if (head.contentLength === undefined || isBodyless(this.#method, head.code)) return chunk
    const left = head.contentLength - this.#sentBytes
    return chunk.length <= left ? chunk : chunk.subarray(0, left)
  }

  #emit(head: Head, chunk: Uint8Array): void {
    if (this.#phase === 'head') {
      const bodyless = isBodyless(this.#method, head.code)
      const first = bodyless || chunk.length === 0 || chunk.length > JOIN_BYTES ? undefined : chunk
      this.#sendHead(head, first, bodyless, this.#knownLength)
      if (bodyless || first !== undefined || chunk.length === 0) return
    } else if (this.#bodyless || chunk.length === 0) return
    this.#sentBytes += chunk.length
    this.#sink.chunk(chunk)
  }

  /** @param knownLength bytes of the whole body where they are known and not declared */
  #sendHead(head: Head, chunk: Uint8Array | undefined, last: boolean, knownLength: number | undefined): void {
    this.#phase = 'body'
    this.#bodyless = isBodyless(this.#method, head.code)
    this.#sentStatus = head.code
    this.#sentHeaders = finalHeaders(this.#method, head, knownLength)
    if (chunk !== undefined) this.#sentBytes += chunk.length
    this.#sink.start(statusWithReason(head.status, head.code), this.#sentHeaders, chunk, last)
  }

  #noteDroppedBody(code: number): void {
    if (this.#method !== 'HEAD') this.#services.warn(this, `a ${code} has no body: the one returned was dropped`)
  }

  /** The application's own failure: logged once, then a plain 500 or, after the head, a response that visibly breaks off. */
  failed(error: unknown): void {
    if (this.#phase === 'ended') return
    this.#error = error
    const status = error instanceof TsgiError && error.kind === 'client' ? error.status : undefined
    if (status === undefined) this.#services.applicationError(this, error)
    if (this.#phase === 'head') this.#answer(status ?? '500 Internal Server Error')
    else {
      this.#aborted = true
      this.#sink.abort()
    }
    this.#finish(error)
  }

  /** A fixed text, no detail: the client never sees what went wrong inside. */
  #answer(status: string): void {
    const text = Buffer.from(`${status.slice(4)}\n`, 'latin1')
    const code = Number(status.slice(0, 3))
    const headers: HeaderList = [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['Content-Length', String(text.length)],
    ]
    const head: Head = { status, code, headers, contentLength: text.length }
    this.#sendHead(head, this.#method === 'HEAD' ? undefined : text, true, undefined)
  }

  /** @param abnormal why the request did not end well; undefined after success */
  #finish(abnormal?: unknown): void {
    this.#phase = 'ended'
    if (abnormal !== undefined) {
      this.#abortReason = abnormal
      this.#controller?.abort(abnormal)
    }
    this.input.discard()
    this.#close()
  }

  #close(): void {
    const closing = this.#body?.close({
      timeoutMs: this.#services.closeTimeoutMs,
      report: (error) => this.#services.warn(this, 'an error while the response body was closed', error),
    })
    this.#body = undefined
    if (closing === undefined) this.#runCallbacks()
    else void closing.then(() => this.#runCallbacks())
  }

  #runCallbacks(): void {
    this.#errors.flush()
    const callbacks = this.#callbacks
    this.#callbacks = undefined
    if (callbacks === undefined) this.#reportDone()
    else void this.#callLastFirst(callbacks).then(() => this.#reportDone())
  }

  async #callLastFirst(callbacks: ((outcome: Outcome) => unknown)[]): Promise<void> {
    for (let callback = callbacks.pop(); callback !== undefined; callback = callbacks.pop()) {
      try {
        await callback(this.outcome)
      } catch (error) {
        this.#services.warn(this, 'an error in a tsgi.after callback', error)
      }
    }
    this.#errors.flush()
  }

  #reportDone(): void {
    if (this.#done) return
    this.#done = true
    this.#services.done(this)
  }

  #after(callback: (outcome: Outcome) => unknown): void {
    if (typeof callback !== 'function') throw new TypeError(`tsgi.after wants a function, not ${describe(callback)}`)
    if (this.#done) throw new TsgiError('TSGI_APP_ENDED', 'tsgi.after was called after the request was over')
    this.#callbacks ??= []
    this.#callbacks.push(callback)
  }

  #makeSignal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
    return this.#controller.signal
  }
}

const notStarted = (): TsgiError =>
  new TsgiError('TSGI_APP_NOT_STARTED', 'the application produced its response without calling startResponse')

/** A write after the client left: nobody has to wait for it, so it must not become an unhandled rejection. */
function rejectedQuietly(error: unknown): Promise<void> {
  const rejected = Promise.reject<void>(error)
  rejected.catch(() => undefined)
  return rejected
}

/** The sum of the chunks, or what is wrong with one of them. */
function totalBytes(chunks: readonly unknown[]): number | TsgiError {
  let total = 0
  for (const chunk of chunks) {
    if (!isBytes(chunk)) return badChunk(chunk)
    total += chunk.length
  }
  return total
}

function joined(chunks: readonly unknown[], total: number): Uint8Array {
  const only = chunks.length === 1 ? chunks[0] : undefined
  return isBytes(only) ? only : Buffer.concat(chunks.filter(isBytes), total)
}

function variableOf(params: Params, name: string): string | undefined {
  const at = params.indexOf(name)
  return at % 2 === 0 ? params[at + 1] : undefined
}
