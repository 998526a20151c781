/** One worker: its application, its sockets, its clock. What the master asks of it is one method each. */

import { monotonicMs } from '../clock.ts'
import { TsgiError } from '../errors.ts'
import type { Handler } from '../gateway/request-source.ts'
import { createAccessLog } from '../log/access-log.ts'
import type { Log } from '../log/logger.ts'
import type { KeptConnection, Tick, WorkerBoot, WorkerMessage } from '../messages.ts'
import { Counters } from '../metrics/counters.ts'
import { allowedPeers } from '../networks.ts'
import type { Options } from '../options/table.ts'
import { Connections, type PassOn } from './connections.ts'
import { exchangeSettings } from './exchange-settings.ts'
import { HttpListener } from './http-listener.ts'
import { Listeners } from './listeners.ts'
import type { RawHandle } from './raw-handle.ts'
import { Requests } from './requests.ts'
import { ResidentMemory } from './resident-memory.ts'
import { retireReason, withJitter } from './retire.ts'

const TICK_MS = 1000
/** Open FastCGI requests on one connection; front servers send one at a time. */
const MAX_MULTIPLEXED = 128
/**
 * For `finally` of the bodies that were aborted, callbacks, and lines of the access log. A part of what the master adds to the grace
 * before it kills (LEAVE_MARGIN_MS): the rest is for the application's own end.
 */
const CLOSING_MS = 500
/** Of the grace: how long it accepts for workers that do not get that far. The rest is for what it has accepted. */
const EMPTYING_PART = 1 / 2
/** Of the connections that were too many for the descriptors: with this part of them left, more are accepted. */
const STILL_MANY = 7 / 8

export interface WorkerStart {
  readonly handler: Handler
  readonly boot: WorkerBoot
  readonly options: Options
  readonly fast: boolean
  readonly log: Log
  /** Draining begins: what would stay open for ever is told to end. */
  readonly draining: () => void
  readonly send: (message: WorkerMessage) => void
  readonly passOn: PassOn
  /** It gets no connections from one of its sockets, and is of no use. */
  readonly broken: (error: TsgiError) => void
  /** Everything is served, nothing is open. */
  readonly drained: (why: string) => void
}

/**
 * - `emptying`: the service stops, and this one still accepts, at its cap too, until the queues are empty for good
 * - `quitting`: all is aborted, and what it has open is being closed
 */
type Phase = 'starting' | 'accepting' | 'full' | 'emptying' | 'draining' | 'quitting' | 'left'

export class Worker {
  readonly #options: Options
  readonly #send: (message: WorkerMessage) => void
  readonly #draining: () => void
  readonly #drained: (why: string) => void
  readonly #log: Log
  readonly #counters = new Counters()
  readonly #accessLog: ReturnType<typeof createAccessLog>
  readonly #requests: Requests
  readonly #connections: Connections
  readonly #http: HttpListener
  readonly #listeners: Listeners
  readonly #maxRequests: number
  readonly #startedMs = monotonicMs()
  #phase: Phase = 'starting'
  /** Of its leaving, once it is told to. */
  #why = ''
  /** Listeners whose socket has come for the last time. */
  readonly #lastCopies = new Set<number>()
  #isMasterDone = false
  #retiring = false
  readonly #memory: ResidentMemory
  #utilization = performance.eventLoopUtilization()
  /** Connections that were open when file descriptors became scarce. */
  #tooManyOpen = Number.POSITIVE_INFINITY
  #onAccepting: () => void = () => undefined

  constructor({ handler, boot, options, fast, log, send, passOn, draining, broken, drained }: WorkerStart) {
    this.#options = options
    this.#log = log
    this.#memory = new ResidentMemory(log)
    this.#send = send
    this.#draining = draining
    this.#drained = drained
    this.#maxRequests = withJitter(options.maxRequests, options.maxRequestsJitter, Math.random())
    this.#accessLog = createAccessLog({ format: options.accessLog, file: options.accessLogFile })
    this.#requests = new Requests(handler, exchangeSettings(options), log, this.#accessLog, this.#counters)
    this.#connections = new Connections(
      this.#requests,
      {
        fast,
        limits: {
          maxParamsBytes: options.maxParamsBytes,
          maxParams: options.maxParams,
          maxRequests: MAX_MULTIPLEXED,
        },
        readTimeoutMs: options.readTimeoutMs,
        lingerTimeoutMs: options.lingerTimeoutMs,
        halfCloseAborts: options.halfClose === 'abort',
        proxyProtocol: options.proxyProtocol,
        passesErrors: options.fastcgiStderr,
      },
      log,
      this.#counters,
    )
    const allowed = allowedPeers(options.allowFrom)
    this.#listeners = new Listeners(
      boot.listeners,
      {
        backlog: options.backlog,
        fast,
        allowed,
        tls: boot.tls,
        handshakeTimeoutMs: options.readTimeoutMs,
        proxyProtocol: options.proxyProtocol,
        log,
      },
      {
        acceptHandle: (handle, listener, expected) => {
          const isOpen = this.#connections.acceptHandle(handle, listener, expected)
          this.#letGoWhenFull()
          return isOpen
        },
        acceptSocket: (socket, listener, expected, proxied) => {
          this.#connections.acceptSocket(socket, listener, expected, proxied)
          this.#letGoWhenFull()
        },
        refuse: (socket, listener, error, answer) => this.#connections.refuse(socket, listener, error, answer),
        handshakeEnded: () => this.#settled(),
        descriptorsScarce: () => this.#letGoWhenScarce(),
        cannotListen: broken,
      },
    )
    this.#http = new HttpListener(this.#requests, {
      readTimeoutMs: options.readTimeoutMs,
      lingerTimeoutMs: options.lingerTimeoutMs,
      maxHeadBytes: options.maxParamsBytes,
      maxHeaders: options.maxParams,
      halfCloseAborts: options.halfClose === 'abort',
      closesIdle: options.debug,
    })
    this.#connections.passOn = passOn
    this.#connections.serveHttp = (socket, head, source) => this.#http.take(socket, head, source)
    this.#requests.onBegun = () => this.#letGoWhenFull()
    this.#requests.onDone = () => this.#settled()
    this.#connections.onSettled = () => this.#settled()
    this.#http.onClosed = () => this.#settled()
  }

  /** Asks the master for the sockets; resolves when this worker accepts on all of them. */
  async start(): Promise<void> {
    setInterval(() => this.#tick(), TICK_MS).unref()
    const accepting = new Promise<void>((resolve) => {
      this.#onAccepting = resolve
    })
    this.#send({ kind: 'want-sockets' })
    await accepting
  }

  /**
   * @param handle the copy of listener `index`; closed again where it comes too late, or while this worker is at its cap
   * @param isLast no other copy of it will come: the word to drain comes about now, over the other pipe
   */
  takeSocket(index: number, handle: unknown, isLast: boolean): void {
    this.#listeners.add(index, handle)
    if (isLast) this.#lastCopies.add(index)
    if (isLast && !this.#isLeaving) this.#phase = 'emptying'
    if (this.#isLeaving || this.#phase === 'full') {
      this.#listeners.release()
      return
    }
    if (this.#phase === 'emptying') {
      this.#emptyQueues()
      return
    }
    if (!this.#listeners.complete) return
    this.#phase = 'accepting'
    const tell = this.#onAccepting
    this.#onAccepting = () => undefined
    tell()
    this.#letGoWhenFull()
  }

  /** @param handle of a connection that another worker hands over */
  takeConnection(kept: KeptConnection, handle: RawHandle): void {
    if (this.#phase === 'left') handle.close()
    else this.#connections.takeOver(handle, kept)
  }

  shed(requestsPerSecond: number): void {
    if (this.#phase === 'accepting' || this.#phase === 'full') this.#connections.shed(requestsPerSecond)
  }

  /** @param last nobody listens on these sockets after this worker, which the master gives it once more */
  drain(graceMs: number, why: string, last: boolean): void {
    if (this.#why !== '') return
    this.#why = why
    setTimeout(() => this.quit(`${why}: not done within ${graceMs} ms`), graceMs).unref()
    this.#phase = last ? 'emptying' : 'draining'
    if (!last) this.#listeners.release()
    this.#connections.drain(!last)
    this.#http.drain(last)
    this.#draining()
    if (last) {
      setTimeout(() => this.#releaseWhenEmpty(), graceMs * EMPTYING_PART).unref()
      this.#emptyQueues()
    } else this.#settled()
  }

  /** The master has let go of the sockets. */
  socketsClosed(): void {
    this.#isMasterDone = true
    this.#emptyQueues()
  }

  /**
   * Only once no other copy is open or under way but those of workers that do the same: what the kernel queues for a socket that
   * nobody has open any more is lost.
   */
  #emptyQueues(): void {
    if (this.#why === '' || !this.#isMasterDone) return
    if (this.#lastCopies.size >= this.#listeners.count) this.#releaseWhenEmpty()
  }

  #releaseWhenEmpty(): void {
    if (this.#phase === 'emptying') this.#listeners.releaseWhenEmpty(() => this.#stopAccepting())
  }

  #stopAccepting(): void {
    if (this.#isLeaving) return
    this.#phase = 'draining'
    this.#listeners.release()
    this.#settled()
  }

  /** Aborts what is in flight, and leaves when that is closed. */
  quit(why: string): void {
    if (this.#phase === 'quitting' || this.#phase === 'left') return
    this.#phase = 'quitting'
    this.#why = why
    this.#listeners.release()
    const reason = new TsgiError('TSGI_SERVER_SHUTDOWN', `the worker leaves: ${why}`)
    if (this.#requests.inFlight > 0) this.#log.warn({ requests: this.#requests.inFlight }, reason.message)
    this.#connections.abortAll(reason)
    this.#http.abortAll(reason)
    setTimeout(() => this.#leave(), CLOSING_MS).unref()
    this.#settled()
  }

  reopenLogs(): void {
    this.#log.reopen()
    this.#accessLog?.reopen()
  }

  /** As the log names them: the request that runs in this turn, and the oldest in flight. */
  get underWay(): readonly string[] {
    return this.#requests.underWay
  }

  /** What would break off if the process ended now; undefined where that end is ours, or is due with nothing left to break off. */
  get atStake(): readonly string[] | undefined {
    if (this.#phase === 'quitting' || this.#phase === 'left') return undefined
    return this.#phase === 'draining' && this.underWay.length === 0 ? undefined : this.underWay
  }

  get #isLeaving(): boolean {
    return this.#phase === 'draining' || this.#phase === 'quitting' || this.#phase === 'left'
  }

  get #load(): number {
    return Math.max(this.#requests.inFlight, this.#connections.busy)
  }

  get #isAtCap(): boolean {
    const { maxConcurrency } = this.#options
    return maxConcurrency > 0 && this.#load >= maxConcurrency
  }

  #letGoWhenFull(): void {
    if (this.#phase === 'accepting' && this.#isAtCap) this.#letGo()
  }

  #letGoWhenScarce(): void {
    // Where none is open, none can close and bring the listeners back.
    if (this.#phase !== 'accepting' || this.#open === 0) return
    this.#tooManyOpen = this.#open
    this.#letGo()
  }

  #letGo(): void {
    this.#phase = 'full'
    this.#listeners.release()
  }

  /** Connections, in whatever state. */
  get #open(): number {
    return this.#connections.size + this.#http.connections + this.#listeners.handshakes
  }

  get #hasRoom(): boolean {
    return !this.#isAtCap && this.#open <= this.#tooManyOpen * STILL_MANY
  }

  /** Something ended: there may be room again, or nothing left to wait for. */
  #settled(): void {
    if (this.#phase === 'full' && this.#hasRoom) {
      this.#tooManyOpen = Number.POSITIVE_INFINITY
      this.#phase = 'starting'
      this.#send({ kind: 'want-sockets' })
    }
    if (this.#requests.inFlight > 0) return
    if (this.#phase === 'quitting' || (this.#phase === 'draining' && this.#open === 0)) this.#leave()
  }

  #leave(): void {
    if (this.#phase === 'left') return
    this.#phase = 'left'
    this.#accessLog?.close()
    // What it did since the last one counts, too.
    this.#send({ kind: 'tick', tick: this.#measure(monotonicMs()) })
    this.#drained(this.#why)
  }

  #tick(): void {
    const nowMs = monotonicMs()
    this.#requests.sweep(nowMs)
    this.#connections.sweep(nowMs)
    this.#http.sweep(nowMs)
    if (this.#phase === 'draining') this.#listeners.closeSilent(nowMs)
    const tick = this.#measure(nowMs)
    this.#send({ kind: 'tick', tick })
    if (this.#retiring || this.#phase === 'emptying' || this.#isLeaving) return
    const age = { requests: tick.requestsTotal, rssBytes: tick.rssBytes, lifetimeMs: nowMs - this.#startedMs }
    const { maxMemoryBytes, maxLifetimeMs } = this.#options
    const why = retireReason(age, { maxRequests: this.#maxRequests, maxMemoryBytes, maxLifetimeMs })
    if (why === undefined) return
    this.#retiring = true
    this.#send({ kind: 'retire', why })
  }

  #measure(nowMs: number): Tick {
    const before = this.#utilization
    this.#utilization = performance.eventLoopUtilization()
    return {
      connections: this.#connections.size + this.#http.connections,
      requestsInFlight: this.#requests.inFlight,
      requestsTotal: this.#requests.total,
      oldestRequestMs: this.#requests.oldestMs(nowMs),
      rssBytes: this.#memory.bytes(),
      eventLoopUtilization: performance.eventLoopUtilization(this.#utilization, before).utilization,
      counters: this.#counters.snapshot(),
    }
  }
}
