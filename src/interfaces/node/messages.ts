/** The request and response of one exchange: their events in the order in which node:http emits them. */

import diagnosticsChannel from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type http from 'node:http'
import { nextTick } from 'node:process'
import { asError, TsgiError } from '../../errors.ts'
import type { ClientSocket } from './client-socket.ts'
import { EXCHANGE, type GatewayResponse, type Messages, type NodeExchange } from './exchange.ts'
import { responseSymbol } from './internals.ts'
import { BodyFeed, closeUnread, type GatewayRequest } from './request.ts'
import { takeClosing } from './takeover.ts'

const NEED_DRAIN = responseSymbol('kNeedDrain')
/** Node 24 and later keep in a member what Node before works out. */
const WRITABLE_FINISHED = responseSymbol('kWritableFinished')

/** Published by node:http for its own requests; APM agents subscribe to them. */
export const requestStarted = diagnosticsChannel.channel('http.server.request.start')
const responseFinished = diagnosticsChannel.channel('http.server.response.finish')

export class MessagePair implements Messages {
  readonly exchange: NodeExchange
  readonly request: GatewayRequest
  readonly response: GatewayResponse
  readonly server: http.Server
  #feed: BodyFeed | undefined = undefined
  /** A server that does not listen has nothing that could be waited for. */
  #isCounted: boolean

  constructor(exchange: NodeExchange, request: GatewayRequest, response: GatewayResponse, server: http.Server) {
    this.exchange = exchange
    this.request = request
    this.response = response
    this.server = server
    exchange.messages = this
    this.#isCounted = server.listening
    if (this.#isCounted) countOf(server)._connections++
  }

  feed(): void {
    this.#body.pull((error) => this.#unreadable(asError(error)))
  }

  get #body(): BodyFeed {
    const { socket, source } = this.exchange
    this.#feed ??= new BodyFeed(this.request, source.input, (bytes) => {
      socket.bytesRead += bytes
      socket.touch()
    })
    return this.#feed
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

  ended(): void {
    // As early as the listener of node:http, which is there from the beginning.
    this.response.prependListener('finish', onFinish)
  }

  finished(): void {
    const { response } = this
    const { socket } = this.exchange
    if (WRITABLE_FINISHED !== undefined) membersOf(response)[WRITABLE_FINISHED] = true
    // Somebody has taken its place and may hold 'finish' back: what follows has to wait for the event itself.
    if (response.emit !== EventEmitter.prototype.emit) {
      this.ended()
      response.emit('finish')
      return
    }
    this.release()
    nextTick(emitClose, response)
    response.emit('finish')
    // One request is all that such a socket carries.
    if (socket.listenerCount('close') > 0) nextTick(announceClose, socket)
  }

  /** After the response, before anybody else hears of its 'finish'. */
  release(): void {
    const { request, response, server } = this
    const { socket } = this.exchange
    if (responseFinished.hasSubscribers) responseFinished.publish({ request, response, socket, server })
    this.#leaveServer()
    socket._httpMessage = null
    socket.stopTimer()
    membersOf(response)['socket'] = null
    this.#endRequest()
  }

  /** A request that nobody read ends here, as node:http dumps it. */
  #endRequest(): void {
    const { request } = this
    if (request._consuming || request.destroyed || isRead(request)) return
    request._dumped = true
    request.complete = true
    if (request._eventsCount === 0) {
      closeUnread(request)
      return
    }
    this.#body.end()
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
    // After the response nobody else tells whoever still reads: they would wait for ever, and no `finally` of theirs would run.
    if (!this.request.destroyed) this.request.destroy(error)
  }
}

/** Somebody will: node:http says 'finish' later, when whoever asked for the body has begun to get it. */
function isRead(request: GatewayRequest): boolean {
  return request.readableFlowing === true || request.listenerCount('readable') > 0
}

interface ConnectionCount {
  _connections: number
  _emitCloseIfDrained(): void
}

/** Node counts the connections of a server in members that `@types/node` leaves out. */
function countOf(server: http.Server): ConnectionCount {
  return server as unknown as ConnectionCount
}

/** Members that Node sets and `@types/node` has as read-only or leaves out. */
function membersOf(response: GatewayResponse): Record<string | symbol, unknown> {
  return response as unknown as Record<string | symbol, unknown>
}

/** The server's own 'finish' listener, the first on a response that Node's `end` ended. */
function onFinish(this: http.ServerResponse): void {
  // Only responses made by responseConstructor carry this listener.
  const response = this as GatewayResponse
  const { messages, socket } = response[EXCHANGE]
  if (!(messages instanceof MessagePair)) return
  messages.release()
  nextTick(emitClose, response)
  // Most have nobody who waits for their end.
  if (socket.listenerCount('close') > 0) nextTick(announceClose, socket)
}

function emitClose(response: GatewayResponse): void {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit('close')
}

function announceClose(socket: ClientSocket): void {
  socket.announceClose()
}
