/** A Node request listener, or the http.Server that carries it, as a Handler. */

import http from 'node:http'
import type { Body, StartResponse } from '../../application.ts'
import { asError } from '../../errors.ts'
import type { Handler, RequestSource } from '../../gateway/request-source.ts'
import { ClientSocket } from './client-socket.ts'
import { NodeExchange } from './exchange.ts'
import { MessagePair, requestStarted } from './messages.ts'
import { fillRequest, type RequestConstructor, requestConstructor } from './request.ts'
import { type ResponseConstructor, responseConstructor } from './response.ts'
import { hooksWork } from './self-test.ts'
import { runAsText } from './text-exchange.ts'
import { isUpgrade, runUpgrade, Upgrades } from './upgrade.ts'

interface Constructors {
  readonly Request: RequestConstructor
  readonly Response: ResponseConstructor
}

/**
 * Requests are emitted on `server` as node:http emits them, so that whatever hooks a server sees them. The server does not
 * listen; whether it says so is its own matter.
 * @param hooked false: the documented way only, for tests and for versions of Node that fail the self-test
 */
export function handlerOfServer(server: http.Server, hooked = hooksWork()): Handler {
  const { Request, Response } = constructorsFor(server)
  const upgrades = new Upgrades()
  const announceConnection = connectionAnnouncer(server)
  return (source, startResponse) => {
    if (isUpgrade(source.variables) && server.listenerCount('upgrade') > 0) {
      return runUpgrade(source, startResponse, server, Request, upgrades)
    }
    if (!hooked) return runAsText(source, startResponse, server, Request)
    return runRequest(source, startResponse, server, Request, Response, announceConnection)
  }
}

function runRequest(
  source: RequestSource,
  startResponse: StartResponse,
  server: http.Server,
  Request: RequestConstructor,
  Response: ResponseConstructor,
  announceConnection: (socket: ClientSocket) => void,
): Body | PromiseLike<Body> {
  const socket = new ClientSocket(source, server)
  announceConnection(socket)
  const exchange = new NodeExchange(source, startResponse, socket)
  const request = new Request(socket)
  fillRequest(request, source.variables)
  const response = new Response(request, exchange)
  new MessagePair(exchange, request, response, server)
  if (server.timeout > 0) socket.setTimeout(server.timeout)
  if (requestStarted.hasSubscribers) requestStarted.publish({ request, response, socket, server })
  const { expect } = source.variables
  if (expect === undefined || !expects(expect, server, request, response)) {
    try {
      server.emit('request', request, response)
    } catch (error) {
      // Whoever waits for the end of either of them hears of it.
      exchange.fail(asError(error))
      throw error
    }
  }
  return exchange.returned()
}

/**
 * What ends a server gently (stoppable, http-terminator) counts its sockets from 'connection' to 'close'. Node's own listener
 * there would parse HTTP from the socket, and is passed over.
 */
function connectionAnnouncer(server: http.Server): (socket: ClientSocket) => void {
  const event = server instanceof http.Server ? 'connection' : 'secureConnection'
  const [own] = new http.Server().listeners('connection')
  return (socket) => {
    if (server.listenerCount(event) <= 1) return
    for (const listener of server.listeners(event)) if (listener !== own) Reflect.apply(listener, server, [socket])
  }
}

/** RFC 9110 section 10.1.1. True: another event than 'request' has been emitted. The front server sends the 100 itself. */
function expects(
  expectation: string,
  server: http.Server,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): boolean {
  const event = /^100-continue$/i.test(expectation) ? 'checkContinue' : 'checkExpectation'
  return server.emit(event, request, response)
}

/**
 * Express gives every request and response its own prototype. Where it is the server's only listener they are born with
 * it. Not where others listen too: they would see Express's getters on their objects.
 */
function constructorsFor(server: http.Server): Constructors {
  const listeners = server.listeners('request')
  const [listener] = listeners
  const prototypes = listeners.length === 1 ? expressPrototypes(listener) : undefined
  return {
    Request: requestConstructor(prototypes?.request ?? optionPrototype(server, 'IncomingMessage')),
    Response: responseConstructor(prototypes?.response ?? optionPrototype(server, 'ServerResponse')),
  }
}

/** http.createServer({ IncomingMessage, ServerResponse }): the members of such classes are there, their constructors do not run. */
function optionPrototype(server: http.Server, name: 'IncomingMessage' | 'ServerResponse'): object {
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === name)
  const given: unknown = symbol === undefined ? undefined : Reflect.get(server, symbol)
  const own = http[name].prototype
  return typeof given === 'function' && given.prototype instanceof http[name] ? given.prototype : own
}

export function expressPrototypes(listener: unknown): { request: object; response: object } | undefined {
  if (typeof listener !== 'function') return undefined
  const request: unknown = Reflect.get(listener, 'request')
  const response: unknown = Reflect.get(listener, 'response')
  const inherits =
    request instanceof http.IncomingMessage && response instanceof http.ServerResponse && typeof request === 'object'
  return inherits ? { request, response } : undefined
}
