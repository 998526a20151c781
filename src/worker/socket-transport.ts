/** A connection as net.Socket has it: the documented path, and what a bare handle becomes. */

import { writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { letFlow } from '../interfaces/let-flow.ts'
import { breakOff } from './break-off.ts'
import { handleOf, type RawHandle, takeHandle } from './raw-handle.ts'
import type { LingerEnd, Transport, TransportEvents } from './transport.ts'

export class SocketTransport implements Transport {
  readonly #socket: Socket
  readonly #events: TransportEvents
  /** Where the descriptor is known, a write is tried at once: no write request, no callback (8.4 against 9.5 us a request). */
  readonly #fd: number | undefined
  #ended = false
  #paused = false
  #lingering: NodeJS.Timeout | undefined

  /** @param socket made with allowHalfOpen; its data must reach `events.data` in one of the two ways of net.Socket */
  constructor(socket: Socket, events: TransportEvents, { fd }: { fd?: number } = {}) {
    this.#socket = socket
    this.#events = events
    this.#fd = fd
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#events.data(bytes)
  }

  readonly #onEnd = (): void => {
    if (this.#lingering === undefined) this.#events.peerEnded()
    else this.#ended = true
    // Not at once: of what was written some may still wait to go out.
    if (this.#ended) this.#socket.destroySoon()
  }

  readonly #onDrain = (): void => this.#events.drained()

  /** EPIPE and ECONNRESET are ordinary here: 'close' follows, and that is what counts. */
  readonly #onError = (): void => {
    this.#ended = true
    // Not after every error by itself: a TLS client that renegotiates again and again is only told of (ERR_TLS_SESSION_ATTACK).
    this.#socket.destroy()
  }

  readonly #onClose = (): void => {
    clearTimeout(this.#lingering)
    this.#events.closed()
  }

  get saturated(): boolean {
    return this.#socket.writableNeedDrain
  }

  write(bytes: Uint8Array): void {
    if (this.#ended || this.#socket.destroyed) return
    const written = this.#fd === undefined || this.#socket.writableLength > 0 ? 0 : writeNow(this.#fd, bytes)
    if (written < bytes.length) this.#socket.write(written === 0 ? bytes : bytes.subarray(written))
  }

  flow(wanted: boolean): void {
    if (wanted !== this.#paused) return
    this.#paused = !wanted
    if (wanted) this.#socket.resume()
    else this.#socket.pause()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.end()
    // With our side ended and everything read, the handle closes when the peer does, or at once if it has already.
    this.#socket.destroySoon()
  }

  linger(timeoutMs: number, ends: LingerEnd): void {
    if (this.#ended) return
    if (timeoutMs === 0) {
      this.end()
      return
    }
    this.#lingering ??= setTimeout(() => this.#socket.destroy(), timeoutMs)
    this.#socket.resume()
    if (ends === 'now') {
      this.#ended = true
      this.#socket.end()
    }
    if (this.#socket.readableEnded) this.#socket.destroySoon()
  }

  reset(): void {
    this.#ended = true
    breakOff(this.#socket)
  }

  detach(): Socket {
    const socket = this.#socket
    clearTimeout(this.#lingering)
    this.#forget()
    // 'close' tells whoever has it all there is; where nobody listens to errors, one client's reset would end the worker.
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#events.closed())
    if (this.#paused) letFlow(socket)
    return socket
  }

  get movable(): boolean {
    return !(this.#socket instanceof TLSSocket) && handleOf(this.#socket) !== undefined
  }

  release(): RawHandle | undefined {
    const socket = this.#socket
    if (!this.movable || this.#ended || socket.destroyed || socket.readableEnded) return undefined
    if (socket.readableLength > 0 || socket.writableLength > 0) return undefined
    const handle = takeHandle(socket)
    if (handle !== undefined) this.#forget()
    return handle
  }

  #forget(): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#onDrain)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
  }

  settle(): void {
    // A net.Socket listens from the start.
  }

  readonly settled = true
}

/** Bytes that the kernel took at once; 0 for any reason it did not, which the socket's own write will meet again. */
export function writeNow(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes)
  } catch {
    // EAGAIN: the socket buffer is full. EPIPE, ECONNRESET: the peer left. net.Socket reports either in its own time.
    return 0
  }
}
