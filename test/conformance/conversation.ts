/** One request on one connection, from the front server's side, as far as the test wants to take it. */

import { connect, type Socket } from 'node:net'
import type { ResponseEvent, ResponseHead, ResponseParser } from '../../src/client/request.ts'

export interface Answer {
  /** 0 when the connection ended before the head was whole. */
  readonly status: number
  readonly reason: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly headerAll: (name: string) => string[]
  readonly body: Buffer
  readonly text: string
  /** All that came, framing included. */
  readonly raw: Buffer
  /** How the connection ended: in order, or with a reset. */
  readonly ended: 'end' | 'reset'
  /** Why the response cannot be taken for complete; undefined where nothing says so. */
  readonly problem: string | undefined
}

const PATIENCE_MS = 20_000

export class Conversation {
  readonly #socket: Socket
  readonly #parser: ResponseParser
  readonly #raw: Buffer[] = []
  readonly #events: ResponseEvent[] = []
  #ended: Answer['ended'] | undefined
  readonly #watchers = new Set<() => void>()

  constructor(address: string | number, parser: ResponseParser) {
    this.#parser = parser
    const target = typeof address === 'number' ? { port: address, host: '127.0.0.1' } : { path: address }
    this.#socket = connect({ ...target, allowHalfOpen: true })
    this.#socket.on('data', (bytes) => this.#got(bytes))
    this.#socket.on('end', () => {
      if (typeof address === 'number') this.#tellResetFromEnd()
      else this.#over('end')
    })
    this.#socket.on('error', () => this.#over('reset'))
    this.#socket.on('close', () => this.#over('reset'))
  }

  send(...pieces: readonly Uint8Array[]): void {
    // A write of nothing to a Unix socket that the peer has closed is an EPIPE, with the response still unread.
    for (const piece of pieces) if (piece.length > 0) this.#socket.write(piece)
  }

  /** Ends our side, as a client that has said all it will. */
  endSending(): void {
    this.#socket.end()
  }

  leave(): void {
    this.#socket.destroy()
  }

  stopReading(): void {
    this.#socket.pause()
  }

  get over(): boolean {
    return this.#ended !== undefined
  }

  get bodyBytes(): number {
    return this.#chunks.reduce((total, chunk) => total + chunk.length, 0)
  }

  get rawBytes(): number {
    return this.#raw.reduce((total, bytes) => total + bytes.length, 0)
  }

  get head(): ResponseHead | undefined {
    for (const event of this.#events) if (event.kind === 'head') return event.head
    return undefined
  }

  get bodyText(): string {
    return Buffer.concat(this.#chunks).toString('latin1')
  }

  /** @throws with what came until then, when the condition is not met in time or never can be any more */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return
    await new Promise<void>((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#watchers.delete(look)
        clearTimeout(timer)
        act()
      }
      const give = (why: string) =>
        new Error(`${why} before ${what}; received: ${Buffer.concat(this.#raw).toString('latin1').slice(0, 500)}`)
      const look = (): void => {
        if (condition()) settle(resolve)
        else if (this.#ended !== undefined) settle(() => reject(give(`the connection ended (${this.#ended})`)))
      }
      const timer = setTimeout(() => settle(() => reject(give(`${PATIENCE_MS} ms passed`))), PATIENCE_MS)
      this.#watchers.add(look)
    })
  }

  /** Waits for the end of the connection. */
  async answer(): Promise<Answer> {
    await this.until('its end', () => this.#ended !== undefined)
    const head = this.head
    const end = this.#events.find((event) => event.kind === 'end')
    const body = Buffer.concat(this.#chunks)
    const headers = head?.headers ?? []
    const noEnd = 'the connection was reset'
    return {
      status: head?.status ?? 0,
      reason: head?.reason ?? '',
      headers,
      headerAll: (name) =>
        headers.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value),
      body,
      text: body.toString('utf8'),
      raw: Buffer.concat(this.#raw),
      ended: this.#ended ?? 'reset',
      problem: end?.kind === 'end' ? end.problem : noEnd,
    }
  }

  get #chunks(): Uint8Array[] {
    return this.#events.flatMap((event) => (event.kind === 'body' ? [event.chunk] : []))
  }

  #got(bytes: Buffer): void {
    this.#raw.push(bytes)
    this.#events.push(...this.#parser.feed(bytes))
    for (const watcher of [...this.#watchers]) watcher()
  }

  /** A reset that follows data reads as an end in Node (libuv, uv__stream_io: POLLHUP); only a write still tells them apart. */
  #tellResetFromEnd(): void {
    if (this.#socket.writableEnded) this.#over('end')
    else this.#socket.write('x', (error) => this.#over(error ? 'reset' : 'end'))
  }

  #over(how: Answer['ended']): void {
    if (this.#ended !== undefined) return
    this.#ended = how
    if (how === 'end') this.#events.push(...this.#parser.close())
    this.#socket.destroy()
    for (const watcher of [...this.#watchers]) watcher()
  }
}
