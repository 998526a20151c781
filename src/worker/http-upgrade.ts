/**
 * A request that asks for another protocol on its connection (RFC 9110 section 7.8). node:http has let go of the socket by
 * then: the application takes it over, or its ordinary response is written here, and the connection closes after it.
 */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { HeaderList, Upgraded } from '../application.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { Sink } from '../gateway/sink.ts'
import { encodeHead } from '../protocol/response-head.ts'
import { clientLeft } from './connection-errors.ts'
import { SocketTransport } from './socket-transport.ts'
import type { TransportEvents } from './transport.ts'
import { Waiters } from './waiters.ts'

/** What a client may send before it sees the 101; most wait for it. */
const MAX_EARLY_BYTES = 65_536

export class UpgradeRequest implements Sink {
  readonly #transport: SocketTransport
  #exchange: Exchange | undefined
  /** What came behind the request: the application's, if it takes over. */
  readonly #early: Uint8Array[]
  #earlyBytes: number
  readonly #waiters = new Waiters()
  readonly bodyComesLate = false
  #handedOver = false
  readonly earlyHints = undefined

  /** @param head what node:http has read beyond the request */
  constructor(socket: Socket, head: Uint8Array, halfCloseAborts: boolean) {
    this.#early = head.length === 0 ? [] : [head]
    this.#earlyBytes = head.length
    const events: TransportEvents = {
      data: (bytes) => this.#keep(bytes),
      peerEnded: () => {
        if (halfCloseAborts) this.#leave()
      },
      drained: () => this.#waiters.release(),
      closed: () => {
        // Of a connection that is the application's the exchange hears for itself: that is its end, and no failure.
        if (!this.#handedOver) this.#leave()
        this.#waiters.release()
      },
    }
    this.#transport = new SocketTransport(socket, events)
  }

  /** Set once: each needs the other. */
  set exchange(exchange: Exchange) {
    this.#exchange = exchange
    exchange.input.end()
  }

  readonly upgrade = (): Upgraded => {
    this.#handedOver = true
    const socket = this.#transport.detach()
    return { socket, head: Buffer.concat(this.#early) }
  }

  get saturated(): boolean {
    return this.#transport.saturated
  }

  drained(): Promise<void> {
    if (!this.#transport.saturated) return Promise.resolve()
    return this.#waiters.wait()
  }

  flow(): void {
    // The request has no body.
  }

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    const own: [string, string][] = [['Connection', 'close']]
    for (const [name, value] of [
      ['Date', new Date().toUTCString()],
      ['Server', 'tsgi'],
    ] as const) {
      if (!headers.some(([each]) => each.toLowerCase() === name.toLowerCase())) own.push([name, value])
    }
    this.#transport.write(encodeHead('HTTP/1.1 ', status, [...headers, ...own], chunk))
    if (last) this.end()
  }

  chunk(bytes: Uint8Array): void {
    this.#transport.write(bytes)
  }

  end(): void {
    this.#transport.end()
  }

  abort(): void {
    this.#transport.reset()
  }

  #keep(bytes: Uint8Array): void {
    this.#early.push(new Uint8Array(bytes))
    this.#earlyBytes += bytes.length
    if (this.#earlyBytes > MAX_EARLY_BYTES) this.#transport.flow(false)
  }

  #leave(): void {
    this.#exchange?.abort(clientLeft())
  }
}

/**
 * `Upgrade` with a body, as HTTP clients send it that would rather speak HTTP/2 (h2c). It may be ignored, but node:http, before
 * it could be told so, stops reading where the body begins: the request is put together again without it.
 */
export function withoutUpgrade(request: IncomingMessage, head: Uint8Array): Uint8Array {
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!/^upgrade$/i.test(name)) lines.push(`${name}: ${rawHeaders[index + 1] ?? ''}`)
  }
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head])
}

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
