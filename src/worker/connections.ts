/** The connections of a worker: made from what is accepted, watched, drained. */

import type { Socket } from 'node:net'
import { TsgiError } from '../errors.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { Log } from '../log/logger.ts'
import { createRateLimit } from '../log/rate-limit.ts'
import type { ListenerInfo } from '../messages.ts'
import type { Counters } from '../metrics/counters.ts'
import type { Decoder, DecoderLimits, Protocol } from '../protocol/codec.ts'
import { Connection, type ConnectionHost, keepsConnections, type ServeHttp } from './connection.ts'
import { HandleTransport } from './handle-transport.ts'
import type { OpenRequest } from './open-request.ts'
import type { RawHandle } from './raw-handle.ts'
import type { Requests } from './requests.ts'
import { SocketTransport } from './socket-transport.ts'

export interface ConnectionSettings {
  readonly limits: DecoderLimits
  /** 0: no limit */
  readonly readTimeoutMs: number
  readonly lingerTimeoutMs: number
  readonly halfCloseAborts: boolean
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean
}

/** The same mistake of the same front server is said this often at most. */
const REPEAT_INTERVAL_MS = 10_000

export class Connections implements ConnectionHost {
  readonly #requests: Requests
  readonly #settings: ConnectionSettings
  readonly #log: Log
  readonly #counters: Counters
  /** Those that outlived their first turn. */
  readonly #open = new Set<Connection>()
  #unsettled: Connection[] = []
  readonly #say = createRateLimit(REPEAT_INTERVAL_MS)
  #draining = false
  /** Open connections that may idle between requests. */
  #kept = 0
  serveHttp: ServeHttp = (socket) => void socket.destroy()
  /** Called when a connection has closed: there may be nothing left to wait for. */
  onClosed: () => void = () => undefined

  constructor(requests: Requests, settings: ConnectionSettings, log: Log, counters: Counters) {
    this.#requests = requests
    this.#settings = settings
    this.#log = log
    this.#counters = counters
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

  get draining(): boolean {
    return this.#draining
  }

  get size(): number {
    return this.#open.size
  }

  /** Connections that bring one request each: what counts against the cap before their request is known. */
  get busy(): number {
    return this.#open.size - this.#kept
  }

  /** The fast path: a bare handle, read at once. */
  acceptHandle(handle: RawHandle, listener: ListenerInfo, expected: readonly Protocol[]): void {
    this.#counters.add('connections')
    let transport: HandleTransport | undefined
    const kept = expected.length > 0 && expected.every(keepsConnections)
    const connection = new Connection(this, expected, listener.address, performance.now(), (events) => {
      transport = new HandleTransport(handle, events, kept, listener.transport === 'tcp')
      return transport
    })
    this.#add(connection)
    transport?.open()
  }

  /**
   * The documented path.
   * @param socket made with allowHalfOpen
   */
  acceptSocket(socket: Socket, listener: ListenerInfo, expected: readonly Protocol[]): void {
    this.#counters.add('connections')
    const connection = new Connection(
      this,
      expected,
      listener.address,
      performance.now(),
      (events) => new SocketTransport(socket, events),
    )
    this.#add(connection)
  }

  #add(connection: Connection): void {
    this.#open.add(connection)
    if (connection.kept) this.#kept++
  }

  createDecoder(protocol: Protocol): Decoder {
    return protocol.createDecoder(this.#settings.limits)
  }

  createExchange(request: OpenRequest): Exchange {
    return this.#requests.createExchange(request)
  }

  admit(request: OpenRequest): void {
    this.#requests.admit(request.exchange, request.params)
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

  protocolError(connection: Connection, error: Error): void {
    const code = error instanceof TsgiError ? error.code : undefined
    if (code !== undefined) this.#counters.add(`protocolErrors.${code}`)
    const { address } = connection
    this.#say(`${address} ${error.message}`, (suppressed) => {
      const about = { listener: address, code, ...(suppressed > 0 && { suppressed }) }
      if (code === undefined) this.#log.error({ ...about, err: error }, 'a decoder failed: this is a bug in tsgi')
      else this.#log.warn(about, error.message)
    })
  }

  closed(connection: Connection): void {
    this.#open.delete(connection)
    if (connection.kept) this.#kept--
    this.onClosed()
  }

  /** Once a second: what is owed too long is given up. */
  sweep(nowMs: number): void {
    for (const connection of this.#open) connection.sweep(nowMs, this.#settings.readTimeoutMs)
  }

  /** From now on each connection closes after its next response. */
  drain(): void {
    this.#draining = true
  }

  /** The time to drain is over. */
  abortAll(reason: TsgiError): void {
    for (const connection of [...this.#open]) connection.abort(reason)
  }
}
