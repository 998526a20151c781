/** What a connection asks of its worker, and what it is told when it begins. */

import type { Socket } from 'node:net'
import type { Exchange } from '../gateway/exchange.ts'
import type { ListenerInfo } from '../messages.ts'
import type { Decoder, Protocol } from '../protocol/codec.ts'
import type { Endpoint } from '../protocol/proxy-header.ts'
import type { Proxied } from './first-bytes.ts'
import type { OpenRequest } from './open-request.ts'
import type { RawHandle } from './raw-handle.ts'

export type ConnectionState =
  | 'open'
  /** To be handed over as soon as nothing is open on it. */
  | 'leaving'
  /** The last response is out; what the peer still sends is the rest of a body. */
  | 'lingering'
  /** The socket is the application's, or on its way to another worker. */
  | 'detached'
  | 'over'

/** What a worker is to its connections. */
export interface ConnectionHost<Connection> {
  readonly lingerTimeoutMs: number
  /** A peer that ends its side before the response has left. */
  readonly halfCloseAborts: boolean
  /** No further request is wanted: each connection is handed over or closed after its next response. */
  readonly draining: boolean
  /** Another worker goes on with what is handed over. */
  readonly handsOver: boolean
  createDecoder(protocol: Protocol, resumed: number | undefined): Decoder
  /** @param startedMs when its first byte was read */
  createExchange(request: OpenRequest, startedMs: number): Exchange
  /** Runs the application, now or when the worker's cap has room. */
  admit(request: OpenRequest): void
  /** Not done within its first turn: to be settled before the next. */
  unsettled(connection: Connection): void
  /** A connection that turned out to speak HTTP. */
  readonly serveHttp: ServeHttp
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean
  /** What applications write to `tsgi.errors` goes to the front server too (FCGI_STDERR). */
  readonly passesErrors: boolean
  /** @param exchange the request that it is about, where its head was read */
  protocolError(connection: Connection, error: Error, exchange?: Exchange): void
  /** Sends the descriptor away. @param sent tells when it is gone */
  handOver(connection: Connection, handle: RawHandle, highestId: number, sent: () => void): void
  /** Its last response is out: it takes no place of a request any more. */
  lingers(connection: Connection): void
  closed(connection: Connection): void
}

/**
 * @param head what was read of the connection already
 * @param source who connected, as a PROXY protocol header says
 */
export type ServeHttp = (socket: Socket, head: Uint8Array, source: Endpoint | undefined) => void

export interface ConnectionStart {
  readonly listener: Pick<ListenerInfo, 'address' | 'transport'>
  readonly expected: readonly Protocol[]
  /** It served requests in another worker: the highest id among them. */
  readonly resumed?: number
  /** A PROXY protocol header was read already: it comes before TLS. */
  readonly proxied?: Proxied | undefined
}
