/**
 * A connection without a stream: one read from the descriptor, one write to it, closed. nginx and Apache open a new
 * connection for each uwsgi and SCGI request, so making a net.Socket would cost more than everything else together (34
 * against 12.6 us of CPU a request). What is not done within its first turn becomes a net.Socket on the same handle.
 */

import { readSync } from 'node:fs'
import type { Socket } from 'node:net'
import { adopt, type RawHandle } from './raw-handle.ts'
import { SocketTransport, writeNow } from './socket-transport.ts'
import type { LingerEnd, Transport, TransportEvents } from './transport.ts'

/** As large as the largest uwsgi packet. One for all connections: a read and what is made of it happen in one turn. */
const readBuffer = Buffer.allocUnsafeSlow(65_536 + 4)

/** What was read, by its length: requests of a site are of a few lengths, and each view is an object of its own (0.2 us). */
const views: Buffer[] = []
const MAX_VIEWS = 64

function readBytes(length: number): Buffer {
  const place = length % MAX_VIEWS
  const known = views[place]
  if (known?.length === length) return known
  const view = readBuffer.subarray(0, length)
  views[place] = view
  return view
}

export class HandleTransport implements Transport {
  readonly #handle: RawHandle
  /** Asked once: it is an accessor in C++. */
  readonly #fd: number
  readonly #events: TransportEvents
  /** Connections that are kept read into the shared buffer; their sockets have no 'data' events of their own. */
  readonly #kept: boolean
  readonly #tcp: boolean
  #socket: SocketTransport | undefined
  /** Nothing has been read. */
  #silent = true
  #closed = false

  constructor(handle: RawHandle, events: TransportEvents, kept: boolean, tcp: boolean) {
    this.#handle = handle
    this.#fd = handle.fd
    this.#kept = kept
    this.#tcp = tcp
    this.#events = events
  }

  /**
   * Reads what has arrived.
   * @returns false where nothing has, yet: `settle` reads once more
   */
  open(): boolean {
    // A kept connection becomes a socket in any case; made here, it is outside of every application's async context.
    if (this.#kept) this.#adopted()
    return this.#read()
  }

  #read(): boolean {
    let length = -1
    try {
      length = readSync(this.#fd, readBuffer)
    } catch {
      // EAGAIN: the front server connected first and writes next. Anything else the socket will meet and report.
    }
    if (length <= 0) return false
    this.#silent = false
    this.#events.data(readBytes(length))
    return true
  }

  /** It came and went without a socket: the descriptor is free. */
  get closed(): boolean {
    return this.#closed
  }

  get saturated(): boolean {
    return this.#socket?.saturated ?? false
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) return
    if (this.#socket !== undefined) {
      this.#socket.write(bytes)
      return
    }
    const written = writeNow(this.#fd, bytes)
    if (written < bytes.length) this.#adopted().write(bytes.subarray(written))
  }

  flow(wanted: boolean): void {
    if (wanted) this.#socket?.flow(true)
    else if (!this.#closed) this.#adopted().flow(false)
  }

  end(): void {
    if (this.#socket !== undefined) {
      this.#socket.end()
      return
    }
    if (this.#closed) return
    this.#closed = true
    this.#handle.close()
    this.#events.closed()
  }

  linger(timeoutMs: number, ends: LingerEnd): void {
    if (!this.#closed) this.#adopted().linger(timeoutMs, ends)
  }

  reset(): void {
    if (!this.#closed) this.#adopted().reset()
  }

  detach(): Socket {
    return this.#adopted().detach()
  }

  readonly movable = true

  release(): RawHandle | undefined {
    return this.#closed ? undefined : this.#adopted().release()
  }

  settle(): void {
    if (this.settled || (this.#silent && this.#read())) return
    this.#adopted()
  }

  get settled(): boolean {
    return this.#closed || this.#socket !== undefined
  }

  #adopted(): SocketTransport {
    if (this.#socket !== undefined) return this.#socket
    const socket = this.#kept ? adopt(this.#handle, this.#sharedRead()) : adopt(this.#handle, {})
    this.#socket = new SocketTransport(socket, this.#events, { fd: this.#fd })
    if (this.#kept) socket.resume()
    if (this.#tcp) socket.setNoDelay(true)
    return this.#socket
  }

  #sharedRead(): { onread: { buffer: Uint8Array; callback: (length: number) => boolean } } {
    return {
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          this.#events.data(readBytes(length))
          return true
        },
      },
    }
  }
}
