/** One WebSocket of an async application. Frames, fragments and limits are the work of `ws`. */

import http from 'node:http'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { Body, Environ, HeaderList, StartResponse, Write } from '../application.ts'
import { asBuffer } from '../as-buffer.ts'
import { asError, describe } from '../errors.ts'
import type { RequestSource } from '../gateway/request-source.ts'
import { allowed, statusLine } from './async-http.ts'
import { type AsyncApp, type Messages, UnsupportedScope, type WebSocketScope } from './async-types.ts'
import { hasNoneOpen, hasOpen, type Leaving } from './farewell.ts'
import { requestConstructor } from './node/request.ts'
import { upgradeRequest } from './node/upgrade.ts'

type Received = Messages['websocket']['receive']
type Sent = Messages['websocket']['send']

/** Below the 60 s after which nginx closes a silent connection (uwsgi_read_timeout, proxy_read_timeout). */
const PING_INTERVAL_MS = 25_000
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
/** Messages held for an application that does not receive: above it the client is not read from. */
const MAX_HELD_MESSAGES = 64
const NOTHING: readonly Uint8Array[] = []

const Request = requestConstructor(http.IncomingMessage.prototype)

interface Acceptance {
  readonly subprotocol: string | undefined
  readonly headers: HeaderList
}

/** The connections of one application: what shares pings and the farewell at the end. */
export class WebSockets implements Leaving {
  readonly #acceptances = new WeakMap<http.IncomingMessage, Acceptance>()
  readonly #server: WebSocketServer
  readonly #silent = new WeakSet<WebSocket>()
  /** One for all: a closure for each connection would keep its handshake in memory as long as it is open. */
  readonly #onPong: (this: WebSocket) => void
  readonly #onClose = (): void => {
    if (this.#server.clients.size === 0) hasNoneOpen(this)
  }
  #pings: NodeJS.Timeout | undefined

  constructor() {
    const silent = this.#silent
    this.#onPong = function () {
      silent.delete(this)
    }
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_PAYLOAD_BYTES,
      handleProtocols: (_offered, request) => this.#acceptances.get(request)?.subprotocol ?? false,
    })
    this.#server.on('headers', (lines, request) => {
      for (const [name, value] of this.#acceptances.get(request)?.headers ?? []) lines.push(`${name}: ${value}`)
    })
  }

  async accept(source: RequestSource, startResponse: StartResponse, acceptance: Acceptance): Promise<WebSocket> {
    const upgrade = source.environ['tsgi.upgrade']
    if (upgrade === undefined) throw new Error('this connection cannot be upgraded')
    const { socket, head } = await upgrade(startResponse)
    const request = upgradeRequest(source, socket, undefined, Request)
    this.#acceptances.set(request, acceptance)
    const first = asBuffer(head)
    return new Promise((resolve, reject) => {
      const left = (): void => reject(new Error('the client left during the WebSocket handshake'))
      socket.once('close', left)
      this.#server.handleUpgrade(request, socket, first, (webSocket) => {
        socket.off('close', left)
        webSocket.on('pong', this.#onPong)
        webSocket.once('close', this.#onClose)
        hasOpen(this)
        this.#pings ??= setInterval(() => this.#ping(), PING_INTERVAL_MS).unref()
        resolve(webSocket)
      })
    })
  }

  /** RFC 6455 section 7.4.1: 1001, the server goes away. */
  goAway(): void {
    for (const client of this.#server.clients) client.close(1001, 'server shutdown')
  }

  /** A client that answered no ping between two rounds is gone. */
  #ping(): void {
    for (const client of this.#server.clients) {
      if (this.#silent.has(client)) {
        client.terminate()
        continue
      }
      this.#silent.add(client)
      client.ping()
    }
    if (this.#server.clients.size > 0) return
    clearInterval(this.#pings)
    this.#pings = undefined
  }
}

/** Null: the handshake is a WebSocket one of RFC 6455; else why it is not. Checked while an HTTP answer is possible. */
export function handshakeFault(environ: Environ): string | null {
  if (environ.REQUEST_METHOD !== 'GET') return 'a WebSocket handshake is a GET\n'
  if (!/^[+/0-9A-Za-z]{22}==$/.test(environ['HTTP_SEC_WEBSOCKET_KEY'] ?? ''))
    return 'Sec-WebSocket-Key is missing or wrong\n'
  const version = environ['HTTP_SEC_WEBSOCKET_VERSION']
  return version === '13' || version === '8' ? null : 'Sec-WebSocket-Version must be 13\n'
}

export function runWebSocket(
  app: AsyncApp,
  scope: WebSocketScope,
  source: RequestSource,
  startResponse: StartResponse,
  webSockets: WebSockets,
): Promise<Body> {
  return new Promise((resolve, reject) => {
    const connection = new WebSocketConnection(source, startResponse, webSockets, resolve)
    const running = app(
      scope,
      () => connection.receive(),
      // Other kinds of messages are refused by `send`, one by one.
      (message) => connection.send(message as Sent),
    )
    running.then(
      () => connection.returned(),
      (error: unknown) => {
        if (!connection.failed(error)) reject(error)
      },
    )
  })
}

type Stage = 'connecting' | 'accepting' | 'open' | 'refusing' | 'over'

class WebSocketConnection {
  readonly #source: RequestSource
  readonly #startResponse: StartResponse
  readonly #webSockets: WebSockets
  readonly #answer: (body: Body) => void
  #stage: Stage = 'connecting'
  #socket: WebSocket | undefined
  #write: Write | undefined
  readonly #held: Received[] = [{ type: 'websocket.connect' }]
  readonly #waiting: ((message: Received) => void)[] = []
  #last: Received | undefined

  constructor(
    source: RequestSource,
    startResponse: StartResponse,
    webSockets: WebSockets,
    answer: (body: Body) => void,
  ) {
    this.#source = source
    this.#startResponse = startResponse
    this.#webSockets = webSockets
    this.#answer = answer
    // Not by the signal: its controller and its listener are a kilobyte for each connection. Where the socket of a WebSocket
    // closed in order, `ws` knows the code.
    source.after(({ aborted, error }) => {
      if (aborted || error !== undefined) this.#closed(1006, '')
    })
  }

  receive(): Promise<Received> {
    const held = this.#held.shift() ?? this.#last
    if (held !== undefined) {
      if (this.#held.length < MAX_HELD_MESSAGES) this.#socket?.resume()
      return Promise.resolve(held)
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  async send(message: Sent): Promise<void> {
    if (this.#stage === 'over') throw clientDisconnected()
    switch (message.type) {
      case 'websocket.accept':
        this.#expect('connecting', message.type)
        return this.#accept(message.subprotocol, message.headers ?? [])
      case 'websocket.send':
        this.#expect('open', message.type)
        return this.#sendFrame('text' in message ? message.text : message.bytes)
      case 'websocket.close':
        return this.#close(message.code ?? 1000, message.reason ?? '')
      case 'websocket.http.response.start':
        this.#expect('connecting', message.type)
        this.#stage = 'refusing'
        this.#write = this.#startResponse(statusLine(message.status), allowed(message.headers ?? []))
        return
      case 'websocket.http.response.body':
        this.#expect('refusing', message.type)
        if (message.moreBody === true) return this.#write?.(message.body ?? new Uint8Array(0))
        this.#stage = 'over'
        this.#answer(message.body === undefined || message.body.length === 0 ? NOTHING : [message.body])
        return
      default:
        throw new TypeError(`a websocket connection cannot send ${describe(Reflect.get(Object(message), 'type'))}`)
    }
  }

  returned(): void {
    if (this.#stage === 'connecting') this.#refuse()
    else if (this.#stage === 'open') this.#socket?.close(1000)
  }

  /** False: nothing was answered yet, and the gateway's 500 is the answer. */
  failed(error: unknown): boolean {
    if (this.#stage === 'connecting' && error instanceof UnsupportedScope) {
      this.#refuse()
      return true
    }
    if (this.#stage === 'connecting' || this.#stage === 'refusing') return false
    if (error instanceof Error && error.name === 'ClientDisconnected') return true
    this.#source.environ['tsgi.errors'].write(`websocket: ${asError(error).stack ?? String(error)}\n`)
    this.#socket?.close(1011)
    return true
  }

  async #accept(subprotocol: string | undefined, headers: HeaderList): Promise<void> {
    this.#stage = 'accepting'
    const acceptance = { subprotocol, headers: allowed(headers) }
    const socket = await this.#webSockets.accept(this.#source, this.#startResponse, acceptance)
    this.#socket = socket
    this.#stage = 'open'
    socket.on('message', (data, isBinary) => this.#received(data, isBinary))
    socket.on('close', (code, reason) => this.#closed(code, reason.toString('utf8')))
    socket.on('error', (error) => this.#source.environ['tsgi.errors'].write(`websocket: ${error.message}\n`))
    this.#answer(NOTHING)
  }

  /** Resolves when the frame is with the kernel: the backpressure of a slow client. */
  #sendFrame(content: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket?.send(content, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(clientDisconnected())
      })
    })
  }

  #close(code: number, reason: string): void {
    if (this.#stage === 'connecting') this.#refuse()
    else if (this.#stage === 'open') this.#socket?.close(code, reason)
  }

  /** ASGI 3, "Close - send event": before the handshake it is a 403. */
  #refuse(): void {
    this.#stage = 'over'
    this.#last = { type: 'websocket.disconnect', code: 1006, reason: '' }
    this.#startResponse('403 Forbidden', [['Content-Type', 'text/plain; charset=utf-8']])
    this.#answer([Buffer.from('Forbidden\n')])
  }

  #received(data: RawData, isBinary: boolean): void {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data)
    if (isBinary) this.#deliver({ type: 'websocket.receive', bytes })
    else this.#deliver({ type: 'websocket.receive', text: bytes.toString('utf8') })
  }

  #deliver(message: Received): void {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) {
      waiting(message)
      return
    }
    this.#held.push(message)
    if (this.#held.length >= MAX_HELD_MESSAGES) this.#socket?.pause()
  }

  #closed(code: number, reason: string): void {
    if (this.#stage === 'over') return
    this.#stage = 'over'
    this.#last = { type: 'websocket.disconnect', code, reason }
    for (const waiting of this.#waiting.splice(0)) waiting(this.#last)
    this.#answer(NOTHING)
  }

  #expect(stage: Stage, type: string): void {
    if (this.#stage !== stage) throw new Error(`${type} was sent at the wrong time`)
  }
}

function clientDisconnected(): Error {
  return Object.assign(new Error('the WebSocket is closed'), { name: 'ClientDisconnected' })
}
