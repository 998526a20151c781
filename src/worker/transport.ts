/** The socket side of a connection, in one of two forms: a net.Socket (documented), or a bare handle that becomes one when needed. */

import type { Socket } from 'node:net'
import type { RawHandle } from './raw-handle.ts'

/** What a connection is told. */
export interface TransportEvents {
  /** @param bytes valid during the call only */
  data(bytes: Uint8Array): void
  /** The peer ended its side. */
  peerEnded(): void
  /** There is room to write again. */
  drained(): void
  /** Once, and last; whatever the cause. */
  closed(): void
}

/** When our side of a lingering connection ends. */
export type LingerEnd = 'now' | 'after the body'

export interface Transport {
  /** Queues the bytes, or hands them to the kernel at once. Never throws: a broken connection shows as `closed`. */
  write(bytes: Uint8Array): void
  /** Above the high-water mark: `drained` follows. */
  readonly saturated: boolean
  /** `false` leaves what the peer sends in the kernel. */
  flow(wanted: boolean): void
  /** What was written goes out, then the connection closes. */
  end(): void
  /**
   * What was written goes out, and what the peer still sends is read until it closes. Closing over unread bytes would
   * reset the connection and take the response with it (Linux, unix(7) and tcp(7)).
   *
   * @param ends our side of the connection: at once, or with `end()` when the body is there. May be called again, for `now`.
   */
  linger(timeoutMs: number, ends: LingerEnd): void
  /** The peer shall see that something broke: RST on TCP; a Unix socket has no such signal. */
  reset(): void
  /** Gives the connection away as a socket in its usual, flowing form; no event is reported any more. */
  detach(): Socket
  /** Another process could go on with it: there is no more to it than its descriptor, as TLS would be. */
  readonly movable: boolean
  /**
   * Gives the descriptor away, for another process to go on with; nothing is reported any more, not even `closed`.
   * @returns undefined where something that was read or written is still on its way here: ask again later
   */
  release(): RawHandle | undefined
  /** Waits from now on for what the event loop has to tell: called when a request was not done within its first turn. */
  settle(): void
  /** It does so already: there is nothing to `settle`. */
  readonly settled: boolean
}
