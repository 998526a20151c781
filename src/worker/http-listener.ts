/**
 * The built-in HTTP listener, for development and for a machine without a front server: node:http's requests become the
 * same variables and the same exchanges as a gateway protocol's. It is handed its connections and never listens itself.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { monotonicMs } from '../clock.ts'
import { TsgiError } from '../errors.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { Endpoint } from '../protocol/proxy-header.ts'
import { BODY_CUT, bodyStalled, clientLeft } from './connection-errors.ts'
import { HttpSink } from './http-sink.ts'
import { hasBody, UpgradeRequest, withoutUpgrade } from './http-upgrade.ts'
import { variablesOf } from './http-variables.ts'
import type { Requests } from './requests.ts'
import { countBodyBytes } from './young-garbage.ts'

interface HttpSettings {
  /** Of a request head; and how long a body may stall. 0: no limit */
  readonly readTimeoutMs: number
  readonly lingerTimeoutMs: number
  readonly maxHeadBytes: number
  readonly maxHeaders: number
  readonly halfCloseAborts: boolean
  /** Draining closes idle connections at once: whoever reloads a page wants the new code. */
  readonly closesIdle: boolean
}

/** Longer than a proxy keeps an idle connection (nginx: 60 s), so that it is never us who close while it sends. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const CHECK_INTERVAL_MS = 1000

/** What is open on one connection: more than one where its client does not wait for an answer before it asks again. */
type Open = Map<Exchange, HttpSink>

export class HttpListener {
  readonly #server: Server
  readonly #requests: Requests
  readonly #settings: HttpSettings
  readonly #open = new Map<Socket, Open>()
  readonly #upgrades = new Set<Exchange>()
  readonly #sockets = new Set<Socket>()
  readonly #sources = new WeakMap<Socket, Endpoint>()
  #draining = false
  /** While it drains: idle connections wait for nothing. */
  #closesIdle = false
  /** Called when a connection has closed. */
  onClosed: () => void = () => undefined

  constructor(requests: Requests, settings: HttpSettings) {
    this.#requests = requests
    this.#settings = settings
    this.#server = createServer({
      headersTimeout: settings.readTimeoutMs,
      requestTimeout: 0, // a body may take long, as long as it moves
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: settings.maxHeadBytes,
      // From Node 24.9 on; before it, such a request is put together again.
      shouldUpgradeCallback: (request) => !hasBody(request),
      noDelay: true,
    })
    // Above it node:http would drop headers in silence.
    this.#server.maxHeadersCount = 0
    // Not documented, and checked by a test: with it, a client that has ended its side still gets its response.
    if (!settings.halfCloseAborts) Reflect.set(this.#server, 'httpAllowHalfOpen', true)
    this.#server.on('request', (request, response) => this.#serve(request, response, false))
    this.#server.on('checkContinue', (request, response) => this.#serve(request, response, true))
    this.#server.on('upgrade', (request, _socket, head) => this.#serveUpgrade(request, head))
    // node:http watches for slow heads from the moment its server listens, which this one never does.
    this.#server.emit('listening')
  }

  get connections(): number {
    return this.#sockets.size
  }

  /**
   * @param head what was read of it already
   * @param source who connected, as a PROXY protocol header says
   */
  take(socket: Socket, head: Uint8Array, source: Endpoint | undefined): void {
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      for (const sink of this.#open.get(socket)?.values() ?? []) sink.connectionClosed()
      this.#open.delete(socket)
      this.onClosed()
    })
    if (source !== undefined) this.#sources.set(socket, source)
    this.#parse(socket, head)
  }

  /** @param last nobody goes on: idle connections wait for nothing */
  drain(last: boolean): void {
    this.#draining = true
    this.#closesIdle = last || this.#settings.closesIdle
    for (const [, sink] of this.#allOpen()) sink.closeAfterwards()
    this.#closeIdle()
  }

  /** Once a second: a body that is owed too long is given up, and in a drain what has become idle since is closed. */
  sweep(nowMs: number): void {
    this.#closeIdle()
    const { readTimeoutMs } = this.#settings
    if (readTimeoutMs === 0) return
    for (const [exchange, sink] of this.#allOpen()) {
      if (sink.stalledMs(nowMs) < readTimeoutMs) continue
      exchange.input.fail(new TsgiError('TSGI_INPUT_TRUNCATED', bodyStalled(readTimeoutMs)))
    }
  }

  abortAll(reason: TsgiError): void {
    for (const [exchange] of this.#allOpen()) exchange.abort(reason)
    for (const exchange of [...this.#upgrades]) exchange.abort(reason)
    for (const socket of this.#sockets) socket.destroySoon()
  }

  #closeIdle(): void {
    if (!this.#closesIdle) return
    // To node:http a connection is idle as soon as the end of its response was written, and a slow client has still to take
    // that. The worker stays until it is out: the others can wait for as long.
    if (this.#allOpen().some(([exchange]) => exchange.ended)) return
    this.#server.closeIdleConnections()
  }

  #allOpen(): (readonly [Exchange, HttpSink])[] {
    return [...this.#open.values()].flatMap((open) => [...open])
  }

  #parse(socket: Socket, head: Uint8Array): void {
    if (head.length > 0) socket.unshift(head)
    this.#server.emit('connection', socket)
  }

  #serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { lingerTimeoutMs } = this.#settings
    const sink = new HttpSink(request, response, { expectsContinue, lingerTimeoutMs })
    const exchange = this.#requests.createExchange(sink, monotonicMs())
    const open: Open = this.#open.get(request.socket) ?? new Map()
    open.set(exchange, sink)
    this.#open.set(request.socket, open)
    if (this.#draining) sink.closeAfterwards()
    exchange.input.onFirstRead(() => sink.bodyWanted())
    request.on('data', (chunk: Buffer) => {
      sink.bodyHeard()
      countBodyBytes(chunk.length)
      exchange.input.push(chunk)
    })
    request.on('end', () => exchange.input.end())
    // Also long after the response.
    request.on('close', () => {
      if (!request.complete) exchange.input.fail(bodyCut())
    })
    response.on('close', () => {
      open.delete(exchange)
      if (exchange.ended) return
      if (!request.complete) exchange.input.fail(bodyCut())
      exchange.abort(clientLeft())
    })
    this.#admit(exchange, request)
  }

  #serveUpgrade(request: IncomingMessage, head: Uint8Array): void {
    const { socket } = request
    if (hasBody(request)) {
      this.#parse(socket, withoutUpgrade(request, head))
      return
    }
    // A client that does not wait for an earlier response cannot know that it may upgrade: one of the two would be lost.
    if ((this.#open.get(socket)?.size ?? 0) > 0) {
      socket.destroy()
      return
    }
    const sink = new UpgradeRequest(socket, head, this.#settings.halfCloseAborts)
    const exchange = this.#requests.createExchange(sink, monotonicMs())
    sink.exchange = exchange
    this.#upgrades.add(exchange)
    socket.once('close', () => this.#upgrades.delete(exchange))
    this.#admit(exchange, request)
  }

  #admit(exchange: Exchange, request: IncomingMessage): void {
    const { maxHeaders } = this.#settings
    if (request.rawHeaders.length > 2 * maxHeaders) {
      const message = `${request.rawHeaders.length / 2} header fields; allowed are ${maxHeaders} (--max-params)`
      exchange.refuse(new TsgiError('TSGI_PROTOCOL_TOO_LARGE', message), request.method ?? '')
      return
    }
    const params = variablesOf(request, this.#sources.get(request.socket))
    // node:http is in the middle of what it has read. An application that answers at once must leave nothing unread behind.
    process.nextTick(() => this.#requests.admit(exchange, params))
  }
}

const bodyCut = (): TsgiError => new TsgiError('TSGI_INPUT_TRUNCATED', BODY_CUT)
