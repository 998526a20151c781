/** The requests of a worker: admitted up to the cap, each in an async context of its own, counted, logged, timed out. */

import { AsyncResource } from 'node:async_hooks'
import { Chain } from '../chain.ts'
import { monotonicMs } from '../clock.ts'
import { asError, TsgiError } from '../errors.ts'
import { Exchange } from '../gateway/exchange.ts'
import type { ExchangeServices } from '../gateway/exchange-services.ts'
import type { Handler } from '../gateway/request-source.ts'
import type { Sink } from '../gateway/sink.ts'
import type { AccessLog } from '../log/access-log.ts'
import type { Log } from '../log/logger.ts'
import { createRateLimit, REPEAT_INTERVAL_MS } from '../log/rate-limit.ts'
import { type Counter, type Counters, type Histogram, statusClass } from '../metrics/counters.ts'
import type { StatusClass } from '../metrics/table.ts'
import type { Params } from '../protocol/codec.ts'
import { fileSize } from './file-wrapper.ts'

export interface RequestSettings {
  readonly environ: ExchangeServices<Exchange>['environ']
  readonly extensions: ExchangeServices<Exchange>['extensions']
  readonly maxBodyBytes: number
  readonly closeTimeoutMs: number
  /** 0: no limit */
  readonly requestTimeoutMs: number
  /** 0: no cap */
  readonly maxConcurrency: number
}

/** What an operator may set as REQUEST_ID, `uwsgi_param REQUEST_ID $request_id`: nothing that could forge a log line. */
const REQUEST_ID = /^[\w.-]{1,128}$/
/** Of many requests in flight. */
const MAX_NAMED = 10
const QUEUE_START = /^(?:t=)?([0-9]{9,10}(?:\.[0-9]+)?)$/

export class Requests {
  readonly #handler: Handler
  readonly #settings: RequestSettings
  readonly #services: ExchangeServices<Exchange>
  readonly #log: Log
  readonly #accessLog: AccessLog | undefined
  readonly #begun: Counter
  readonly #responses: Readonly<Record<StatusClass, Counter>>
  readonly #requestBytes: Counter
  readonly #responseBytes: Counter
  readonly #aborted: Counter
  readonly #applicationErrors: Counter
  readonly #durations: Histogram
  readonly #queueDurations: Histogram
  readonly #say = createRateLimit(REPEAT_INTERVAL_MS)
  /**
   * In the order in which they began to run. With those of clients that have left, as long as the application is
   * at work for them: it was promised no more than so many at once, and a worker that leaves would break off what it does.
   */
  readonly #inFlight = new Chain<Exchange>()
  /** While the application is called. */
  #running: Exchange | undefined
  readonly #waiting: (() => void)[] = []
  #serving = false
  #total = 0
  /** Called when a request has begun, or waits for its turn: there may be no room for another. */
  onBegun: () => void = () => undefined
  /** Called when a request is over: there may be room again, or nothing left to wait for. */
  onDone: () => void = () => undefined

  constructor(
    handler: Handler,
    settings: RequestSettings,
    log: Log,
    accessLog: AccessLog | undefined,
    counters: Counters,
  ) {
    this.#handler = handler
    this.#settings = settings
    this.#log = log
    this.#accessLog = accessLog
    this.#begun = counters.counter('requests')
    this.#responses = {
      '2xx': counters.counter('responses.2xx'),
      '3xx': counters.counter('responses.3xx'),
      '4xx': counters.counter('responses.4xx'),
      '5xx': counters.counter('responses.5xx'),
    }
    this.#requestBytes = counters.counter('requestBytes')
    this.#responseBytes = counters.counter('responseBytes')
    this.#aborted = counters.counter('aborted')
    this.#applicationErrors = counters.counter('applicationErrors')
    this.#durations = counters.histogram('requestDuration')
    this.#queueDurations = counters.histogram('queueDuration')
    this.#services = {
      environ: settings.environ,
      maxBodyBytes: settings.maxBodyBytes,
      closeTimeoutMs: settings.closeTimeoutMs,
      extensions: settings.extensions,
      fileSize,
      applicationError: (exchange, error) => this.#applicationError(exchange, error),
      refused: (exchange, error) => this.#refused(exchange, error),
      warn: (exchange, message, error) => this.#warn(exchange, message, error),
      errorLine: (exchange, line) => this.#log.error({ requestId: this.#idOf(exchange) }, line),
      done: (exchange) => this.#done(exchange),
      left: (exchange) => this.#release(exchange),
    }
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  /** What the application is in this very turn, and the oldest in flight, as the log names them: `GET /report`. */
  get underWay(): readonly string[] {
    const exchanges = [this.#running ?? [], this.#inFlight.members().slice(0, MAX_NAMED)].flat()
    return exchanges.flatMap((exchange) => lineOf(exchange) ?? [])
  }

  /** As a line of the log says which one it is about. */
  named(exchange: Exchange): { readonly requestId: string; readonly request: string | undefined } {
    return { requestId: this.#idOf(exchange), request: lineOf(exchange) }
  }

  /** Requests begun since the worker started. */
  get total(): number {
    return this.#total
  }

  get full(): boolean {
    const { maxConcurrency } = this.#settings
    return maxConcurrency > 0 && this.#inFlight.size >= maxConcurrency
  }

  /** Of those that a limit on requests is meant for: a WebSocket may be open for days. */
  oldestMs(nowMs: number): number {
    for (const exchange of this.#inFlight.members()) if (!exchange.upgraded) return nowMs - exchange.startedMs
    return 0
  }

  /** @param startedMs on the clock of monotonicMs() */
  createExchange(sink: Sink, startedMs: number): Exchange {
    return new Exchange(sink, this.#services, startedMs)
  }

  /** Calls the application, or lets the request wait for its turn: kept connections bring requests past the cap. */
  admit(exchange: Exchange, params: Params): void {
    // Made here, outside of any application's context: what one request stores must not reach the next.
    const context = new AsyncResource('TSGI_REQUEST')
    if (this.full) this.#waiting.push(() => context.runInAsyncScope(this.#run, this, exchange, params))
    else context.runInAsyncScope(this.#run, this, exchange, params)
    this.onBegun()
  }

  /** Aborts what has run longer than the request timeout; what has been aborted and runs on loses its place. */
  sweep(nowMs: number): void {
    const { requestTimeoutMs } = this.#settings
    if (requestTimeoutMs === 0) return
    for (const exchange of this.#inFlight.members()) {
      if (nowMs - exchange.beganMs < requestTimeoutMs) return
      if (exchange.upgraded) continue
      if (!exchange.ended) this.#abortLate(exchange, requestTimeoutMs)
      else if (exchange.atWork) {
        this.#warn(
          exchange,
          `the application is still at work for it, after ${requestTimeoutMs} ms: not waited for any more`,
        )
        this.#release(exchange)
      }
    }
  }

  #abortLate(exchange: Exchange, requestTimeoutMs: number): void {
    const error = new TsgiError('TSGI_REQUEST_TIMEOUT', `the request ran longer than ${requestTimeoutMs} ms`)
    this.#warn(exchange, `${error.message} (--request-timeout): aborted`)
    exchange.abort(error)
  }

  #run(exchange: Exchange, params: Params): void {
    if (exchange.ended) return
    this.#total++
    this.#begun.add(1)
    this.#running = exchange
    exchange.run(this.#handler, params)
    this.#running = undefined
    // What was answered at once is over, and nobody could look for it meanwhile.
    if (exchange.done && !exchange.atWork) return
    exchange.beganMs = monotonicMs()
    this.#inFlight.add(exchange)
  }

  #done(exchange: Exchange): void {
    const { outcome } = exchange
    const { receivedBytes } = exchange.input
    const group = statusClass(outcome.status)
    if (group !== undefined) this.#responses[group].add(1)
    if (receivedBytes > 0) this.#requestBytes.add(receivedBytes)
    if (outcome.bytes > 0) this.#responseBytes.add(outcome.bytes)
    if (outcome.aborted) this.#aborted.add(1)
    const durationMs = monotonicMs() - exchange.startedMs
    this.#durations.observe(durationMs / 1000)
    if (exchange.isRead) {
      const { variables } = exchange
      const queued = queueSeconds(variables.get('HTTP_X_REQUEST_START'))
      if (queued !== undefined) this.#queueDurations.observe(queued)
      this.#accessLog?.write({
        variables,
        status: outcome.status,
        bytes: outcome.bytes,
        durationMs,
        aborted: outcome.aborted,
        requestId: this.#idOf(exchange),
        time: Date.now(),
        headers: outcome.status === 0 ? undefined : exchange.sentHeaders,
      })
    }
    if (!exchange.atWork) this.#release(exchange)
  }

  #release(exchange: Exchange): void {
    this.#inFlight.delete(exchange)
    if (this.#waiting.length > 0) this.#runWaiting()
    this.onDone()
  }

  /** Those that are done at once come back here: they must not be served one inside the other, or a long queue is a deep stack. */
  #runWaiting(): void {
    if (this.#serving) return
    this.#serving = true
    while (!this.full) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      next()
    }
    this.#serving = false
  }

  #applicationError(exchange: Exchange, error: unknown): void {
    this.#applicationErrors.add(1)
    this.#log.error({ err: asError(error), ...this.named(exchange) }, 'the application failed')
  }

  #refused(exchange: Exchange, error: TsgiError): void {
    this.#say(error.message, (suppressed) => {
      const about = { ...this.named(exchange), ...(suppressed > 0 && { suppressed }) }
      this.#log.warn({ ...about, code: error.code }, error.message)
    })
  }

  #warn(exchange: Exchange, message: string, error?: unknown): void {
    const about = this.named(exchange)
    this.#log.warn(error === undefined ? about : { ...about, err: asError(error) }, message)
  }

  #idOf(exchange: Exchange): string {
    if (exchange.logId !== undefined) return exchange.logId
    const given = exchange.isRead ? exchange.variables.get('REQUEST_ID') : undefined
    const id = given !== undefined && REQUEST_ID.test(given) ? given : nextId()
    exchange.logId = id
    return id
  }
}

const idPrefix = `${process.pid.toString(36)}-${Date.now().toString(36)}`
let lastId = 0
const nextId = (): string => `${idPrefix}-${(++lastId).toString(36)}`

/** The method and the path as the client wrote it, without the query: that is where secrets travel. */
function lineOf(exchange: Exchange): string | undefined {
  if (!exchange.isRead) return undefined
  const { method, target } = exchange.variables
  return `${method} ${target.replace(/\?.*$/s, '')}`
}

/** `t=1700000000.123`, as nginx writes it with `$msec`: seconds between then and now. */
function queueSeconds(start: string | undefined): number | undefined {
  const match = start === undefined ? null : QUEUE_START.exec(start)
  if (match === null) return undefined
  return Math.max(0, Date.now() / 1000 - Number(match[1]))
}
