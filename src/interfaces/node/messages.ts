/** The request and response of one exchange: their events in the order in which node:http emits them. */

import diagnosticsChannel from 'node:diagnostics_channel'
import type http from 'node:http'
import { asError, TsgiError } from '../../errors.ts'
import { takeClosing } from '../takeover.ts'
import type { Exchange, Messages } from './exchange.ts'
import { responseSymbol } from './internals.ts'
import { BodyFeed, type GatewayRequest } from './request.ts'
import { EXCHANGE, type GatewayResponse } from './response.ts'

const NEED_DRAIN = responseSymbol('kNeedDrain')

/** Published by node:http for its own requests; APM agents subscribe to them. */
export const requestStarted = diagnosticsChannel.channel('http.server.request.start')
const responseFinished = diagnosticsChannel.channel('http.server.response.finish')

export class MessagePair implements Messages {
  readonly exchange: Exchange
  readonly request: GatewayRequest
  readonly response: GatewayResponse
  readonly server: http.Server
  #feed: BodyFeed | undefined = undefined
  /** A server that does not listen has nothing that could be waited for. */
  #isCounted: boolean

  constructor(exchange: Exchange, request: GatewayRequest, response: GatewayResponse, server: http.Server) {
    this.exchange = exchange
    this.request = request
    this.response = response
    this.server = server
    exchange.messages = this
    response.on('finish', onFinish)
    this.#isCounted = server.listening
    if (this.#isCounted) countOf(server)._connections++
  }

  feed(): void {
    this.#feed ??= new BodyFeed(this.request, this.exchange.environ)
    this.#feed.pull((error) => this.#unreadable(asError(error)))
  }

  /** node:http: the request first, then the response, then whoever listens to the socket. */
  abort(error: Error): void {
    const { request, response } = this
    const { socket } = this.exchange
    this.#leaveServer()
    if (!request.destroyed) request.destroy(error)
    socket._httpMessage = null
    emitClose(response)
    socket.announceClose()
  }

  drain(): void {
    const { response } = this
    if (response.destroyed) return
    this.exchange.socket.emit('drain')
    if (NEED_DRAIN === undefined || Reflect.get(response, NEED_DRAIN) !== true) return
    Reflect.set(response, NEED_DRAIN, false)
    response.emit('drain')
  }

  timedOut(): boolean {
    const { request, response, server } = this
    const { socket } = this.exchange
    const heard = [
      !request.complete && request.emit('timeout', socket),
      response.emit('timeout', socket),
      server.emit('timeout', socket),
    ]
    return heard.includes(true)
  }

  /** After the response: a request that nobody read ends here, as node:http dumps it. */
  release(): void {
    const { request } = this
    this.#leaveServer()
    this.exchange.socket._httpMessage = null
    this.exchange.socket.stopTimer()
    if (request._consuming || request.destroyed) return
    request._dumped = true
    request.complete = true
    this.#feed ??= new BodyFeed(request, this.exchange.environ)
    this.#feed.end()
    request.removeAllListeners('data')
    request.resume()
  }

  /** server.close(callback) waits for what is in flight, and getConnections counts it. */
  #leaveServer(): void {
    if (!this.#isCounted) return
    this.#isCounted = false
    const server = countOf(this.server)
    server._connections--
    if (server._connections === 0 && takeClosing(this.server)) server._emitCloseIfDrained()
  }

  #unreadable(error: Error): void {
    const isOverLimit = error instanceof TsgiError && error.code === 'TSGI_INPUT_TOO_LARGE'
    if (isOverLimit) this.exchange.fail(error)
    else this.exchange.lostClient()
  }
}

interface ConnectionCount {
  _connections: number
  _emitCloseIfDrained(): void
}

/** Node counts the connections of a server in members that `@types/node` leaves out. */
function countOf(server: http.Server): ConnectionCount {
  return server as unknown as ConnectionCount
}

/** The server's own 'finish' listener, the first on every response. */
function onFinish(this: http.ServerResponse): void {
  // Only responses made by responseConstructor carry this listener.
  const response = this as GatewayResponse
  const pair = response[EXCHANGE].messages
  if (!(pair instanceof MessagePair)) return
  if (responseFinished.hasSubscribers) {
    const { request, server } = pair
    responseFinished.publish({ request, response, socket: pair.exchange.socket, server })
  }
  pair.release()
  Reflect.set(response, 'socket', null)
  process.nextTick(emitClose, response)
  // One request is all that such a socket carries. Most have nobody who waits for their end.
  const { socket } = pair.exchange
  if (socket.listenerCount('close') > 0) process.nextTick(() => socket.announceClose())
}

function emitClose(response: GatewayResponse): void {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit('close')
}
