/** Where a response goes: the side of a connection that an exchange sees. One sink serves one request. */

import type { HeaderList, Upgraded } from '../application.ts'

export interface Sink {
  /**
   * The head, at most once and before anything else; with the first chunk and the end where these are already there, so
   * that a small response is one write.
   */
  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void
  /** @param bytes never empty; the sink's from now on */
  chunk(bytes: Uint8Array): void
  /** A complete response: never called after one that fell short. */
  end(): void
  /** The response broke off after its head: says so to the front server in whatever way the transport has. */
  abort(): void
  /** Above the high-water mark: ask for nothing more until `drained`. */
  readonly saturated: boolean
  /** Resolves when there is room again, and also when the connection is gone. */
  drained(): Promise<void>
  /** `false` pauses the request body, `true` lets it flow. */
  flow(wanted: boolean): void
  /** The request body has come whole; absent where that is not known. */
  readonly bodyComplete?: boolean
  /** What is left of the request body when the response is over is still pushed to its input, or its failure told there. */
  readonly bodyComesLate: boolean
  /** Takes the connection over after the request head; undefined where the protocol cannot carry it. */
  readonly upgrade: (() => Upgraded) | undefined
  /** Sends a 103 with these headers; undefined on every gateway protocol. */
  readonly earlyHints: ((headers: HeaderList) => void) | undefined
  /** What the application writes to `tsgi.errors` before the end of its response, for the front server's own log, where asked for. */
  errorLine?(line: string): void
}
