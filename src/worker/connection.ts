/**
 * One connection of a front server: the only place that holds both a socket and a codec. Bytes become events, events
 * become exchanges, and what exchanges say becomes bytes.
 */

import type { Upgraded } from '../application.ts'
import type { Chain, ChainLink } from '../chain.ts'
import { monotonicMs } from '../clock.ts'
import { asError, type TsgiError } from '../errors.ts'
import type { Decoder, Protocol, RequestEvent } from '../protocol/codec.ts'
import { clientLeft, silent, truncated } from './connection-errors.ts'
import type { ConnectionHost, ConnectionStart, ConnectionState } from './connection-host.ts'
import { beginning, FirstBytes, mistaken } from './first-bytes.ts'
import { holdsBack, UNUSED_MS } from './hold-back.ts'
import { LateBody } from './late-body.ts'
import { type Carrier, OpenRequest } from './open-request.ts'
import { OpenRequests } from './open-requests.ts'
import type { LingerEnd, Transport, TransportEvents } from './transport.ts'
import { Waiters } from './waiters.ts'
import { countBodyBytes } from './young-garbage.ts'

export class Connection implements ChainLink<Connection>, TransportEvents, Carrier {
  chain: Chain<Connection> | undefined = undefined
  previous: Connection | undefined = undefined
  next: Connection | undefined = undefined
  readonly #host: ConnectionHost<Connection>
  /** Where the socket may speak several protocols, until it is known which. */
  readonly #first: FirstBytes | undefined
  readonly listener: ConnectionStart['listener']
  /** May idle between requests: not counted against the worker's cap. */
  readonly kept: boolean
  readonly passesErrors: boolean
  #protocol: Protocol | undefined
  #decoder: Decoder | undefined
  /** How a head began that came in pieces: should it turn out to be of another protocol, its first bytes tell which. */
  #begun: Uint8Array | undefined
  readonly #transport: Transport
  readonly #open = new OpenRequests()
  /** Since when the peer owes us something: the rest of a head or of a body. Undefined before its first byte and the first sweep. */
  #waitingSinceMs: number | undefined
  #requests = 0
  #requestsBefore = 0
  /** Requests between the last two sweeps. */
  recentRequests = 0
  #state: ConnectionState = 'open'
  /** Since it is to be handed over. */
  #sweepsLeaving = 0
  /** Of a response that broke off: the connection does as soon as nothing else is open on it. */
  #brokenId: number | undefined
  #waiters: Waiters | undefined
  #late: LateBody | undefined
  /** The application's by now. */
  #upgraded: Upgraded['socket'] | undefined
  /** Complete answers pile up that the peer does not read: what would bring more of them is left in the kernel until it does. */
  #choked = false

  constructor(
    host: ConnectionHost<Connection>,
    { listener, expected, resumed, proxied }: ConnectionStart,
    open: (events: TransportEvents) => Transport,
  ) {
    this.#host = host
    this.listener = listener
    this.passesErrors = host.passesErrors
    const only = expected.length === 1 ? expected[0] : undefined
    this.kept = only?.keepsConnections ?? true
    const headed = host.proxyProtocol && resumed === undefined && proxied === undefined
    if (only !== undefined && !headed) this.#speak(only, resumed)
    else this.#first = new FirstBytes(expected, only === undefined, headed, proxied?.source)
    if (resumed !== undefined) this.#requests = this.#requestsBefore = 1 // it has served, and owes nothing
    this.#transport = open(this)
  }

  get over(): boolean {
    return this.#state === 'over'
  }

  /** It is read from and answered on. */
  get #live(): boolean {
    return this.#state === 'open' || this.#state === 'leaving'
  }

  /** @throws TypeError before the first bytes told it: no request, and so nobody who asks, exists then */
  get protocol(): Protocol {
    if (this.#protocol === undefined) throw new TypeError('the protocol of a connection that has sent nothing')
    return this.#protocol
  }

  #speak(protocol: Protocol, resumed: number | undefined): Decoder {
    this.#protocol = protocol
    this.#decoder = this.#host.createDecoder(protocol, resumed)
    return this.#decoder
  }

  // --- from the transport ---

  data(bytes: Uint8Array): void {
    if (!this.#live) {
      if (this.#late?.read(bytes) === 'all') this.#transport.end()
    } else if (this.#decoder === undefined) this.#readFirst(bytes)
    else this.#decode(this.#decoder, bytes)
  }

  #decode(decoder: Decoder, bytes: Uint8Array): void {
    const nowMs = monotonicMs()
    // Pieces of a head do not count, save its first: who sends a byte now and then owes us the head all the same.
    let progress = this.#open.size > 0 || !decoder.midRequest
    try {
      decoder.feed(bytes)
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        progress = true
        this.#handle(event, nowMs)
        if (this.over) return
      }
    } catch (error) {
      this.#broken(asError(error), bytes)
      return
    }
    if (this.#requests === 0 && decoder.midRequest) this.#begun = beginning(this.#begun, bytes)
    // Only now, with all that has arrived in its input: an application that answers at once leaves nothing unread behind.
    for (const request of this.#open.list()) request.admit(this.#host)
    if (this.over) return
    if (this.#state === 'leaving') this.flow()
    if (progress || this.#waitingSinceMs === undefined) this.#waitingSinceMs = nowMs
    if (this.#transport.settled) return
    if (this.#open.size > 0) this.#host.unsettled(this)
    else this.settle()
  }

  peerEnded(): void {
    if (this.over) return
    if (this.#open.size === 0) {
      if (this.#decoder?.owing ?? this.#midRequest) this.#host.protocolError(this, truncated(this.#protocol))
      this.#transport.end()
      return
    }
    for (const request of this.#open.list()) request.peerEnded(this.#host.halfCloseAborts)
  }

  drained(): void {
    this.#waiters?.release()
    if (this.#state === 'leaving') this.handOver()
    if (!this.#choked) return
    this.#choked = false
    this.#waitingSinceMs = undefined // it owed nothing that it could have sent
    this.flow()
  }

  closed(): void {
    if (this.over) return
    this.#state = 'over'
    for (const request of this.#open.list()) request.cutOff()
    this.#late?.cut()
    this.drained()
    this.#host.closed(this)
  }

  // --- from the requests ---

  get saturated(): boolean {
    return !this.over && this.#transport.saturated
  }

  waitForDrain(): Promise<void> {
    if (this.over || !this.#transport.saturated) return Promise.resolve()
    this.#waiters ??= new Waiters()
    return this.#waiters.wait()
  }

  write(bytes: Uint8Array): void {
    countBodyBytes(bytes.length)
    if (!this.over) this.#transport.write(bytes)
  }

  flow(): void {
    if (!this.#live) return
    this.#transport.flow(!this.#holding && !this.#choked && this.#open.wantBodies)
  }

  #choke(): void {
    if (!this.#transport.saturated) return
    this.#choked = true
    this.flow()
  }

  get #holding(): boolean {
    if (this.#state !== 'leaving' || !this.#open.multiplexed || this.#midRequest || this.#open.size === 0) return false
    return holdsBack(this.#sweepsLeaving, this.#host.draining)
  }

  keeps(request: OpenRequest): boolean {
    return request.keepConnection && (!this.#host.draining || (this.#host.handsOver && this.#transport.movable))
  }

  responded(request: OpenRequest): void {
    const isKept = this.keeps(request)
    if (this.#open.size === 1 && !isKept) this.#late = LateBody.of(request, this.#decoder)
    this.#closeRequest(request)
    if (this.over || this.#breakOff()) return
    this.flow()
    if (isKept) {
      // One that sends a whole body before it reads its early answer must get rid of it.
      if (request.bodyComplete) this.#choke()
      if (this.#state === 'leaving' || this.#host.draining) this.handOver()
      return
    }
    if (this.#open.size > 0) return
    if (request.bodyComplete) this.#transport.end()
    else this.#linger(request.tellsItsEnd ? 'after the body' : 'now')
  }

  /** The response broke off: only the end of the connection says so, and that has to wait for the other requests on it. */
  brokeOff(request: OpenRequest): void {
    this.#closeRequest(request)
    if (this.over) return
    this.#brokenId = request.requestId
    if (!this.#breakOff()) this.flow()
  }

  /** @returns whether it did */
  #breakOff(): boolean {
    if (this.#brokenId === undefined || this.#open.size > 0) return false
    const bytes = this.protocol.encoder.abort(this.#brokenId)
    if (bytes !== undefined) {
      this.#transport.write(bytes)
      this.#transport.end()
    } else this.#transport.reset()
    return true
  }

  bodyFailed(request: OpenRequest, error: TsgiError): void {
    this.#host.protocolError(this, error, request.exchange)
  }

  upgrade(request: OpenRequest): Upgraded {
    this.#open.delete(request.requestId)
    this.#decoder = undefined
    this.#state = 'detached'
    this.#upgraded = this.#transport.detach()
    return { socket: this.#upgraded, head: new Uint8Array(0) }
  }

  // --- from the worker ---

  /** Past its first turn: now the event loop has to watch it. */
  settle(): void {
    if (this.#live) this.#transport.settle()
  }

  /** Nothing is half sent either way: may be closed without anybody missing anything. */
  get idle(): boolean {
    return this.#live && this.#open.size === 0 && !this.#midRequest
  }

  /**
   * To another worker: at once where nothing is half read or half sent, else after the next response. The peer does not see it,
   * and what it sends meanwhile waits in the kernel. Closing instead would lose the request that it may be sending right now.
   */
  handOver(): void {
    if (this.#state === 'open') this.#state = 'leaving'
    const handle = this.#requests > 0 && this.idle ? this.#transport.release() : undefined
    if (handle === undefined) {
      this.flow()
      return
    }
    this.#state = 'detached'
    this.#host.handOver(this, handle, this.#decoder?.highestId ?? 0, () => this.closed())
  }

  /** Closes where the peer has owed us bytes for longer than the limit. @param limitMs 0: never */
  sweep(nowMs: number, limitMs: number): void {
    // It was to end with the body, for a peer that goes on sending. This one waits, perhaps for that end; or no time is left.
    if (this.#state === 'lingering' && (this.#host.draining || this.#late?.stalled() === true)) this.#linger('now')
    if (!this.#live) return
    this.recentRequests = this.#requests - this.#requestsBefore
    this.#requestsBefore = this.#requests
    if (this.#state === 'leaving') {
      this.#sweepsLeaving++
      this.handOver()
    }
    this.#waitingSinceMs ??= nowMs
    const waitedMs = nowMs - this.#waitingSinceMs
    // Browsers, and who only looks whether somebody listens, open connections that they never use: no drain waits for them.
    if (this.#requests === 0 && this.idle && this.#host.draining && waitedMs >= UNUSED_MS) this.#transport.end()
    if (limitMs === 0 || waitedMs < limitMs || this.#choked) return
    for (const request of this.#open.list()) request.stalled(limitMs)
    if (this.#open.size > 0) return
    // A kept connection between two requests owes nothing.
    if (this.#requests > 0 && !this.#midRequest) return
    const speaks = this.#protocol !== undefined || this.#midRequest
    if (speaks) this.#host.protocolError(this, silent(this.#protocol, this.#decoder, limitMs))
    this.#transport.end()
  }

  /** Closes where nothing has come for so long and nothing is awaited. */
  closeIdle(nowMs: number, limitMs: number): void {
    if (this.idle && nowMs - (this.#waitingSinceMs ?? nowMs) >= limitMs) this.#transport.end()
  }

  /** @param reason the worker goes; what is open ends now */
  abort(reason: TsgiError): void {
    this.#open.abort(reason)
    this.#upgraded?.destroy()
    if (this.#live) this.#transport.end()
  }

  #handle(event: RequestEvent, nowMs: number): void {
    switch (event.kind) {
      case 'begin':
        this.#begin(event.requestId, event.params, event.keepConnection, nowMs)
        return
      case 'refuse':
        this.#refuseRequest(event.requestId, event.error, event.keepConnection ?? false, nowMs)
        return
      case 'reply':
        if (event.error !== undefined) this.#host.protocolError(this, event.error)
        this.write(event.bytes)
        if (event.close) this.#transport.end()
        else this.#choke()
        return
      default:
        this.#open.take(event)
    }
  }

  /** Before the application was called it never is; later, its body turned out to contradict what was announced. */
  #refuseRequest(requestId: number, error: TsgiError, keepConnection: boolean, nowMs: number): void {
    const running = this.#open.get(requestId)
    if (running === undefined) {
      this.#begin(requestId, [], keepConnection, nowMs).refuse(error)
      this.#choke()
    } else {
      running.bodyComplete = true
      running.exchange.input.fail(error)
    }
  }

  #closeRequest({ requestId }: OpenRequest): void {
    this.#open.delete(requestId)
    if (this.#late === undefined) this.#decoder?.answered?.(requestId)
  }

  #begin(requestId: number, params: readonly string[], keepConnection: boolean, nowMs: number): OpenRequest {
    this.#requests++
    const request = new OpenRequest(this, requestId, params, keepConnection)
    request.exchange = this.#host.createExchange(request, nowMs)
    this.#open.add(request)
    return request
  }

  get #midRequest(): boolean {
    return this.#decoder?.midRequest ?? this.#first?.pending ?? false
  }

  #readFirst(bytes: Uint8Array): void {
    const verdict = this.#first?.read(bytes)
    switch (verdict?.kind) {
      case undefined:
        this.settle()
        return
      case 'gateway':
        // Its socket must be made outside of every application's async context, for it serves several requests.
        if (verdict.protocol.keepsConnections) this.#transport.settle()
        this.#decode(this.#speak(verdict.protocol, undefined), verdict.bytes)
        return
      case 'http': {
        const socket = this.#transport.detach()
        this.#state = 'over'
        this.#host.serveHttp(socket, verdict.bytes, verdict.source)
        this.#host.closed(this)
        return
      }
      case 'wrong':
        this.#giveUp(verdict.error, verdict.answer)
    }
  }

  /** What came cannot be understood: what is open on this connection ends with it. */
  #broken(error: Error, bytes: Uint8Array): void {
    const verdict = this.#requests === 0 ? mistaken(this.#begun, bytes, this.protocol) : undefined
    this.#giveUp(verdict?.error ?? error, verdict?.answer)
  }

  /** @param answer in the protocol that the peer speaks, where it has one for that */
  #giveUp(error: Error, answer: Uint8Array | undefined): void {
    this.#host.protocolError(this, error)
    this.#open.abort(clientLeft())
    if (this.over) return
    if (answer !== undefined) this.#transport.write(answer)
    this.#linger('now')
  }

  #linger(ends: LingerEnd): void {
    this.#state = 'lingering'
    this.#host.lingers(this)
    this.#transport.linger(this.#host.lingerTimeoutMs, ends)
  }
}
