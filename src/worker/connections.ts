/** The connections of a worker: made from what is accepted, watched, drained. */

import type { Socket } from 'node:net'
import { Chain } from '../chain.ts'
import { TsgiError } from '../errors.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { Log } from '../log/logger.ts'
import { createRateLimit, REPEAT_INTERVAL_MS } from '../log/rate-limit.ts'
import type { KeptConnection, ListenerInfo } from '../messages.ts'
import type { Counter, Counters } from '../metrics/counters.ts'
import type { Decoder, DecoderLimits, Protocol } from '../protocol/codec.ts'
import { PROTOCOLS } from '../protocol/protocols.ts'
import { Connection } from './connection.ts'
import type { ConnectionHost, ServeHttp } from './connection-host.ts'
import type { Proxied } from './first-bytes.ts'
import { HandleTransport } from './handle-transport.ts'
import type { OpenRequest } from './open-request.ts'
import { adopt, type RawHandle } from './raw-handle.ts'
import type { Requests } from './requests.ts'
import { SocketTransport } from './socket-transport.ts'
import type { TransportEvents } from './transport.ts'

export type PassOn = (handle: RawHandle, kept: KeptConnection, sent: () => void) => void

interface ConnectionSettings {
  /** Which of the two transports a connection gets that was handed over. */
  readonly fast: boolean
  readonly limits: DecoderLimits
  /** 0: no limit */
  readonly readTimeoutMs: number
  readonly lingerTimeoutMs: number
  readonly halfCloseAborts: boolean
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean
  /** What applications write to `tsgi.errors` goes to the front server too (FCGI_STDERR). */
  readonly passesErrors: boolean
}

/** What may be handed over. */
const KEPT = Object.values(PROTOCOLS).filter((protocol) => protocol.keepsConnections)

/** Who listens to a connection that is only answered. */
const NOBODY: TransportEvents = {
  data: () => undefined,
  peerEnded: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
}

/**
 * When the whole service stops there is nobody to hand kept connections to. One that has been silent for this long is closed:
 * waiting for the front server to let go of it would make every stop as long as --graceful-timeout.
 */
const IDLE_AT_STOP_MS = 1000

export class Connections implements ConnectionHost<Connection> {
  readonly #requests: Requests
  readonly #settings: ConnectionSettings
  readonly #log: Log
  readonly #counters: Counters
  readonly #accepted: Counter
  /** Those that outlived their first turn and bring one request each, until its response is out. */
  readonly #busy = new Chain<Connection>()
  /** The others that outlived it: kept ones, and those that linger. */
  readonly #lasting = new Chain<Connection>()
  #unsettled: Connection[] = []
  readonly #say = createRateLimit(REPEAT_INTERVAL_MS)
  #draining = false
  #handsOver = false
  serveHttp: ServeHttp = (socket) => void socket.destroy()
  /** Sends a descriptor to the master, for another worker. @param sent calls back when it is on its way */
  passOn: PassOn = (_handle, _kept, sent) => sent()
  /** Called when a connection has closed or only lingers: there may be room again, or nothing left to wait for. */
  onSettled: () => void = () => undefined

  constructor(requests: Requests, settings: ConnectionSettings, log: Log, counters: Counters) {
    this.#requests = requests
    this.#settings = settings
    this.#log = log
    this.#counters = counters
    this.#accepted = counters.counter('connections')
  }

  get lingerTimeoutMs(): number {
    return this.#settings.lingerTimeoutMs
  }

  get halfCloseAborts(): boolean {
    return this.#settings.halfCloseAborts
  }

  get proxyProtocol(): boolean {
    return this.#settings.proxyProtocol
  }

  get passesErrors(): boolean {
    return this.#settings.passesErrors
  }

  get draining(): boolean {
    return this.#draining
  }

  get handsOver(): boolean {
    return this.#handsOver
  }

  get size(): number {
    return this.#busy.size + this.#lasting.size
  }

  /** Connections with one request each, before or under way: what counts against the cap before their request is known. */
  get busy(): number {
    return this.#busy.size
  }

  /**
   * The fast path: a bare handle, read at once.
   * @returns whether its descriptor is still in use after this turn: by the connection, or by who took it over (HTTP)
   */
  acceptHandle(handle: RawHandle, listener: ListenerInfo, expected: readonly Protocol[]): boolean {
    this.#accepted.add(1)
    let transport: HandleTransport | undefined
    const kept = expected.length > 0 && expected.every((protocol) => protocol.keepsConnections)
    const connection = new Connection(this, { listener, expected }, (events) => {
      transport = new HandleTransport(handle, events, kept, listener.transport === 'tcp')
      return transport
    })
    // By the end of this turn most front servers have written: a socket that waits for them would cost more than the request.
    if (transport?.open() === false) this.unsettled(connection)
    this.#add(connection)
    return transport?.closed !== true
  }

  /**
   * The documented path.
   * @param socket made with allowHalfOpen
   */
  acceptSocket(socket: Socket, listener: ListenerInfo, expected: readonly Protocol[], proxied?: Proxied): void {
    this.#accepted.add(1)
    const connection = new Connection(
      this,
      { listener, expected, proxied },
      (events) => new SocketTransport(socket, events),
    )
    this.#add(connection)
  }

  /** Most connections of the fast path are over after their first turn: nobody ever looks for them here. */
  #add(connection: Connection): void {
    if (connection.over || connection.chain !== undefined) return
    const chain = connection.kept ? this.#lasting : this.#busy
    chain.add(connection)
  }

  /** A kept connection that another worker served until now. */
  takeOver(handle: RawHandle, { address, transport, highestId }: KeptConnection): void {
    const start = { listener: { address, transport }, expected: KEPT, resumed: highestId }
    let opened: HandleTransport | undefined
    const connection = new Connection(this, start, (events) => {
      if (!this.#settings.fast) return new SocketTransport(adopt(handle, {}), events)
      opened = new HandleTransport(handle, events, true, transport === 'tcp')
      return opened
    })
    opened?.open()
    this.#add(connection)
    if (this.#handsOver) connection.handOver()
  }

  handOver(connection: Connection, handle: RawHandle, highestId: number, sent: () => void): void {
    this.#counters.add('handedOver')
    const { address, transport } = connection.listener
    const kept = { address, transport, highestId, requestsPerSecond: connection.recentRequests }
    this.passOn(handle, kept, () => {
      handle.close()
      sent()
    })
  }

  createDecoder(protocol: Protocol, resumed: number | undefined): Decoder {
    return protocol.createDecoder(this.#settings.limits, resumed)
  }

  createExchange(request: OpenRequest, startedMs: number): Exchange {
    return this.#requests.createExchange(request, startedMs)
  }

  admit(request: OpenRequest): void {
    this.#requests.admit(request.exchange, request.takeParams())
  }

  /** One check for all connections of this turn: most applications that return a promise are done by then. */
  unsettled(connection: Connection): void {
    this.#unsettled.push(connection)
    if (this.#unsettled.length > 1) return
    setImmediate(() => {
      const connections = this.#unsettled
      this.#unsettled = []
      for (const unsettled of connections) unsettled.settle()
    })
  }

  protocolError(connection: Connection, error: Error, exchange?: Exchange): void {
    this.#report(connection.listener, error, exchange)
  }

  /** A connection that never became one. @param answer in the protocol that the peer speaks */
  refuse(socket: Socket, listener: ListenerInfo, error: Error, answer: Uint8Array | undefined): void {
    this.#report(listener, error)
    const transport = new SocketTransport(socket, NOBODY)
    if (answer !== undefined) transport.write(answer)
    transport.linger(this.#settings.lingerTimeoutMs, 'now')
  }

  #report({ address }: Pick<ListenerInfo, 'address'>, error: Error, exchange?: Exchange): void {
    const code = error instanceof TsgiError ? error.code : undefined
    if (code !== undefined) this.#counters.add(`protocolErrors.${code}`)
    this.#say(`${address} ${error.message}`, (suppressed) => {
      const request = exchange === undefined ? {} : this.#requests.named(exchange)
      const about = { listener: address, ...request, code, ...(suppressed > 0 && { suppressed }) }
      if (code === undefined) this.#log.error({ ...about, err: error }, 'a decoder failed: this is a bug in tsgi')
      else this.#log.warn(about, error.message)
    })
  }

  lingers(connection: Connection): void {
    const wasBusy = this.#busy.delete(connection)
    if (connection.chain === undefined) this.#lasting.add(connection)
    if (wasBusy) this.onSettled()
  }

  closed(connection: Connection): void {
    // What is over in its first turn was never added.
    if (!this.#busy.delete(connection)) this.#lasting.delete(connection)
    this.onSettled()
  }

  /** Once a second: what is owed too long is given up. */
  sweep(nowMs: number): void {
    for (const connection of this.#members()) connection.sweep(nowMs, this.#settings.readTimeoutMs)
    if (!this.#draining || this.#handsOver) return
    for (const connection of this.#members()) connection.closeIdle(nowMs, IDLE_AT_STOP_MS)
  }

  /**
   * From now on each connection closes after its next response.
   * @param handOver kept ones do not: another worker goes on with them
   */
  drain(handOver: boolean): void {
    this.#draining = true
    this.#handsOver = handOver
    if (!handOver) return
    for (const connection of this.#lasting.members()) if (connection.kept) connection.handOver()
  }

  /** Hands over connections that bring `requestsPerSecond` together, or less where they cannot be divided so. */
  shed(requestsPerSecond: number): void {
    let left = requestsPerSecond
    const busiestFirst = this.#lasting
      .members()
      .filter(({ kept, recentRequests }) => kept && recentRequests > 0)
      .sort((one, other) => other.recentRequests - one.recentRequests)
    for (const connection of busiestFirst) {
      if (connection.recentRequests > left) continue
      left -= connection.recentRequests
      connection.handOver()
    }
  }

  /** The time to drain is over. */
  abortAll(reason: TsgiError): void {
    for (const connection of this.#members()) connection.abort(reason)
  }

  #members(): Connection[] {
    return [...this.#busy.members(), ...this.#lasting.members()]
  }
}
