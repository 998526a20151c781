/** The WebSockets of one async application, opened and watched. Frames, fragments and limits are the work of `ws`. */

import http from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Upgraded } from '../../application.ts'
import { asBuffer } from '../../as-buffer.ts'
import type { RequestSource } from '../../gateway/request-source.ts'
import { hasNoneOpen, hasOpen, type Leaving } from '../farewell.ts'
import { requestConstructor } from '../node/request.ts'
import { upgradeRequest } from '../node/upgrade.ts'
import { clientDisconnected } from './client-left.ts'
import type { Acceptance } from './websocket-handshake.ts'

/** Below the 60 s after which nginx closes a silent connection (uwsgi_read_timeout, proxy_read_timeout). */
const PING_INTERVAL_MS = 25_000
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024

const Request = requestConstructor(http.IncomingMessage.prototype)

/** They share pings, and the farewell at the end. */
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

  /** Answers the handshake with 101. Rejects where the client leaves meanwhile. */
  open(source: RequestSource, { socket, head }: Upgraded, acceptance: Acceptance): Promise<WebSocket> {
    const request = upgradeRequest(source, socket, undefined, Request)
    this.#acceptances.set(request, acceptance)
    const first = asBuffer(head)
    return new Promise((resolve, reject) => {
      const left = (): void => reject(clientDisconnected())
      socket.once('close', left)
      // `ws` writes the head as one string, before it returns. Header values are byte strings.
      socket.setDefaultEncoding('latin1')
      this.#server.handleUpgrade(request, socket, first, (webSocket) => {
        socket.off('close', left)
        webSocket.on('pong', this.#onPong)
        webSocket.once('close', this.#onClose)
        hasOpen(this)
        this.#pings ??= setInterval(() => this.#ping(), PING_INTERVAL_MS).unref()
        resolve(webSocket)
      })
      socket.setDefaultEncoding('utf8')
    })
  }

  /** RFC 6455 section 7.4.1: 1001, the server goes away. */
  goAway(): void {
    for (const client of this.#server.clients) client.close(1001, 'server shutdown')
  }

  /** A client that answered no ping between two rounds is gone. */
  #ping(): void {
    for (const client of this.#server.clients) {
      // What is not read from has no way to answer.
      if (client.isPaused) this.#silent.delete(client)
      else if (this.#silent.has(client)) {
        client.terminate()
        continue
      } else this.#silent.add(client)
      client.ping()
    }
    if (this.#server.clients.size > 0) return
    clearInterval(this.#pings)
    this.#pings = undefined
  }
}
