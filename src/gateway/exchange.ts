/**
 * One request's life: the application is called, its body is pulled and closed, its callbacks run. Always ends, whatever
 * the application does (PEP 3333, "Specification Details" and "Error Handling").
 */

import type { Environ, HeaderList, Outcome, StartResponse, Upgraded } from '../application.ts'
import type { Chain, ChainLink } from '../chain.ts'
import { asError, describe, TsgiError } from '../errors.ts'
import type { Params } from '../protocol/codec.ts'
import { type AfterCallback, AfterCallbacks, type AfterOwner } from './after-callbacks.ts'
import { type Closing, closeBody } from './close-body.ts'
import { buildEnviron, type ExchangeKeys } from './environ.ts'
import { EnvironVariables } from './environ-source.ts'
import { ErrorLines, type LineTaker } from './error-lines.ts'
import type { ExchangeServices } from './exchange-services.ts'
import { checkHead } from './head-checks.ts'
import { lengthError, RequestInput } from './input.ts'
import { isPromiseLike } from './promise-like.ts'
import { BodyPull } from './pull.ts'
import type { Handler, RequestSource, RequestVariables } from './request-source.ts'
import { Response, type ResponseOwner } from './response.ts'
import { methodOf, readVariables, type SentVariables } from './sent-variables.ts'
import type { Sink } from './sink.ts'

type Phase =
  /** The application is at work. */
  | 'open'
  /** The application has the connection (a 101). */
  | 'upgraded'
  /** Nothing is sent any more; the body is being closed. */
  | 'ended'
  /** All is reported. */
  | 'done'

export class Exchange
  implements ChainLink<Exchange>, RequestSource, ExchangeKeys, ResponseOwner, LineTaker, Closing, AfterOwner
{
  chain: Chain<Exchange> | undefined = undefined
  previous: Exchange | undefined = undefined
  next: Exchange | undefined = undefined
  readonly input: RequestInput
  readonly errors: ErrorLines
  /** On the clock of performance.now(). */
  readonly startedMs: number
  /** When its turn came, on that clock; set by whoever runs it. */
  beganMs = 0
  /** What the log calls this request; set by whoever first writes of it. */
  logId: string | undefined
  readonly #sink: Sink
  readonly #services: ExchangeServices<Exchange>
  readonly #response: Response
  /** Until they are in an environ: they hold the whole head of the request in memory. */
  #sent: SentVariables | undefined
  #environ: Environ | undefined
  #phase: Phase = 'open'
  /** What the application returned; undefined before, and once it is being closed. */
  #body: unknown
  /** Where it is more than an array that goes out in one piece. */
  #pull: BodyPull | undefined
  /** Given up by the worker or by the client: what the application still writes is rejected with the reason. */
  #aborted = false
  /** Less was sent than the response is. */
  #cutShort = false
  #error: unknown
  /** Why the request ended abnormally: the reason of `tsgi.signal`. */
  #abortReason: unknown
  #controller: AbortController | undefined
  #after: AfterCallbacks | undefined
  #atWork = false

  constructor(sink: Sink, services: ExchangeServices<Exchange>, startedMs = performance.now()) {
    this.#sink = sink
    this.#services = services
    this.startedMs = startedMs
    this.#response = new Response(sink, this)
    this.errors = new ErrorLines(this)
    this.input = new RequestInput(services.maxBodyBytes, sink)
  }

  /** The variables were read, and not refused. */
  get isRead(): boolean {
    return this.#sent !== undefined || this.#environ !== undefined
  }

  /** As they are in the environ, once there is one: middleware and the application may change them. */
  get variables(): RequestVariables {
    return this.#sent ?? new EnvironVariables(this.environ)
  }

  get environ(): Environ {
    if (this.#environ !== undefined) return this.#environ
    if (this.#sent === undefined) throw new TypeError('a request that was not read')
    this.#environ = buildEnviron(this.#sent, this.#services.environ, this)
    this.#sent = undefined
    return this.#environ
  }

  get upgrade(): Environ['tsgi.upgrade'] {
    const { upgrade } = this.#sink
    return upgrade && ((start) => this.#upgrade(start, upgrade))
  }

  get earlyHints(): Environ['tsgi.early_hints'] {
    const { earlyHints } = this.#sink
    return earlyHints && ((start, headers) => this.#hint(start, headers, earlyHints))
  }

  get extensions(): ExchangeKeys['extensions'] {
    return this.#services.extensions
  }

  get ended(): boolean {
    return this.#phase === 'ended' || this.#phase === 'done'
  }

  /** All is reported: `ExchangeServices.done` was called. */
  get done(): boolean {
    return this.#phase === 'done'
  }

  /** The application was called and has not returned, be it that nobody waits for its response any more. */
  get atWork(): boolean {
    return this.#atWork
  }

  /** The connection is the application's: no limit on requests is meant for it. */
  get upgraded(): boolean {
    return this.#phase === 'upgraded'
  }

  get abortReason(): unknown {
    return this.#aborted ? this.#abortReason : undefined
  }

  /** The headers as sent; empty before. */
  get sentHeaders(): HeaderList {
    return this.#response.headers
  }

  get outcome(): Outcome {
    const outcome = { status: this.#response.status, bytes: this.#response.bytes, aborted: this.#cutShort }
    return this.#error === undefined ? outcome : { ...outcome, error: this.#error }
  }

  /** Calls the application, unless the variables are refused. Never throws. */
  run(handler: Handler, params: Params): void {
    const variables = readVariables(params, this.#services.environ)
    if (variables instanceof TsgiError) {
      this.refuse(variables, methodOf(params))
      return
    }
    this.#sent = variables
    const tooLarge = lengthError(variables.contentLength, this.#services.maxBodyBytes)
    if (tooLarge !== undefined) {
      this.refuse(tooLarge, variables.method)
      return
    }
    this.#response.method = variables.method
    let returned: unknown
    try {
      returned = handler(this, this.#response.startResponse)
      if (isPromiseLike(returned)) {
        this.#atWork = true
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

  /**
   * Answers with the status of `error`; the application is not called.
   * @param method of the request, as far as it is known
   */
  refuse(error: TsgiError, method: string): void {
    this.#error = error
    this.#response.method = method
    this.#services.refused(this, error)
    this.#response.answer(error.status ?? '400 Bad Request')
    this.#finish()
  }

  /** The client left, the time is over, the worker goes: whatever the application still does has no effect. */
  abort(reason: TsgiError): void {
    if (this.ended) return
    this.#error = reason
    this.#aborted = true
    if (!this.#response.headSent && reason.status !== undefined) this.#response.answer(reason.status)
    else this.#breakOff()
    this.#finish(reason)
  }

  /** The application's own failure: logged once, then a plain 500 or, after the head, a response that visibly breaks off. */
  failed(error: unknown): void {
    if (this.ended) {
      this.#leave()
      return
    }
    this.#atWork = false
    this.#error = error
    // A body that broke off or was too large is the client's failure, where the application does not answer it itself.
    const status = error instanceof TsgiError && error.kind === 'client' ? error.status : undefined
    if (status === undefined) this.#services.applicationError(this, error)
    if (!this.#response.headSent) this.#response.answer(status ?? '500 Internal Server Error')
    else {
      this.#aborted = true
      this.#breakOff()
    }
    this.#finish(error ?? asError(error))
  }

  #breakOff(): void {
    // There is nothing left of it to break off, and its connection may have gone on to another request.
    if (this.#response.isWhole) return
    this.#cutShort = true
    this.#sink.abort()
  }

  completed(): void {
    this.#finish()
  }

  unheard(): void {
    if (this.ended) return
    this.#aborted = true
    this.#finish(new TsgiError('TSGI_CLIENT_DISCONNECTED', 'a HEAD was answered, and nobody reads a body'))
  }

  warn(message: string): void {
    this.#services.warn(this, message)
  }

  errorLine(line: string): void {
    this.#services.errorLine(this, line)
    if (!this.ended && !this.#response.isWhole) this.#sink.errorLine?.(line)
  }

  get closeTimeoutMs(): number {
    return this.#services.closeTimeoutMs
  }

  closingFailed(error: unknown): void {
    // A stream that failed says so once more when it is closed.
    if (error !== this.#error) this.#services.warn(this, 'an error while the response body was closed', error)
  }

  signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
    return this.#controller.signal
  }

  async #upgrade(start: StartResponse, takeOver: () => Upgraded): Promise<Upgraded> {
    this.#checkOwn(start, 'tsgi.upgrade')
    if (this.#response.headSent || this.ended) {
      throw new TsgiError('TSGI_APP_ENDED', 'tsgi.upgrade: the response has begun already')
    }
    this.#phase = 'upgraded'
    this.#response.handedOver()
    const upgraded = takeOver()
    upgraded.socket.once('close', () => this.#finish())
    return upgraded
  }

  async #hint(start: StartResponse, headers: HeaderList, send: (headers: HeaderList) => void): Promise<boolean> {
    this.#checkOwn(start, 'tsgi.early_hints')
    const { headers: checked } = checkHead('200 OK', headers)
    if (this.#response.headSent || this.ended) return false
    send(checked)
    return true
  }

  /** PEP 3333: an extension takes the thing it stands in for, so that middleware which replaced it is not bypassed. */
  #checkOwn(start: StartResponse, key: string): void {
    if (start === this.#response.startResponse) return
    throw new TypeError(`${key} wants the startResponse of this request; a middleware has replaced it`)
  }

  /** The application has returned. */
  #leave(): void {
    this.#atWork = false
    if (this.#phase === 'done') this.#services.left(this)
  }

  /** What the application returned. */
  #take(body: unknown): void {
    this.#response.closeWrite()
    this.#body = body
    if (this.ended) {
      const closing = this.#closeBody()
      if (closing === undefined) this.#leave()
      else void closing.then(() => this.#leave())
      return
    }
    this.#atWork = false
    if (this.#phase === 'upgraded') return // never pulled, and closed with the connection
    try {
      if (Array.isArray(body)) {
        if (!this.#response.sendArray(body)) this.#startPull(body)
        return
      }
    } catch (error) {
      // An array may be a subclass, or a proxy, whose elements throw.
      this.failed(error)
      return
    }
    const size = this.#services.fileSize(body)
    if (size === undefined) {
      this.#startPull(body)
      return
    }
    size.then(
      (bytes) => {
        if (this.ended) return
        if (bytes !== undefined) this.#response.declareLength(bytes)
        this.#startPull(body)
      },
      (error: unknown) => this.failed(error),
    )
  }

  #startPull(body: unknown): void {
    this.#pull = new BodyPull(body, this.#response)
    this.#pull.start()
  }

  /** @param abnormal why the request did not end well; undefined after success */
  #finish(abnormal?: unknown): void {
    if (this.ended) return
    this.#phase = 'ended'
    if (abnormal !== undefined) {
      this.#abortReason = abnormal
      this.#controller?.abort(abnormal)
    }
    if (abnormal === undefined) this.input.responseOver(this.#sink.bodyComesLate)
    else this.input.discard()
    const closing = this.#closeBody()
    if (closing === undefined) this.#runCallbacks()
    else void closing.then(() => this.#runCallbacks())
  }

  /** Once for each body returned: also for one that comes after the end. */
  #closeBody(): Promise<void> | undefined {
    const body = this.#body
    this.#body = undefined
    return this.#pull === undefined ? closeBody(body, undefined, false, this) : this.#pull.close(this)
  }

  #runCallbacks(): void {
    this.errors.flush()
    if (this.#after === undefined) this.#reportDone()
    else this.#after.run(this)
  }

  callbackFailed(error: unknown): void {
    this.#services.warn(this, 'an error in a tsgi.after callback', error)
  }

  callbacksDone(): void {
    this.errors.flush()
    this.#reportDone()
  }

  #reportDone(): void {
    if (this.#phase === 'done') return
    this.#phase = 'done'
    this.#services.done(this)
  }

  after(callback: AfterCallback): void {
    if (typeof callback !== 'function') throw new TypeError(`tsgi.after wants a function, not ${describe(callback)}`)
    if (this.#phase === 'done')
      throw new TsgiError('TSGI_APP_ENDED', 'tsgi.after was called after the request was over')
    this.#after ??= new AfterCallbacks()
    this.#after.add(callback)
  }
}
