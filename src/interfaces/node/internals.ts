/**
 * What tsgi touches of Node's HTTP classes besides their documented members: the same names in Node 20, 22, 24 and 26.
 * `self-test.ts` tries them at start and the worker falls back where one is gone.
 */

import http from 'node:http'

/** Members of http.ServerResponse that `@types/node` leaves out. */
export interface ResponseInternals {
  _header: string | null
  _headerSent: boolean
  _hasBody: boolean
  _contentLength: number | null
  _removedContLen: boolean
  _closed: boolean
  destroyed: boolean
  chunkedEncoding: boolean
  _storeHeader(firstLine: string, headers: unknown): void
  _send(data: string | Uint8Array, encoding?: SendEncoding, callback?: SendCallback | null): boolean
  _writeRaw(data: string | Uint8Array, encoding?: SendEncoding, callback?: SendCallback | null): boolean
  _finish(): void
  _implicitHeader(): void
}

/** The members as Node made them. */
const { end, setHeader, writeHead, _finish, _implicitHeader } = http.ServerResponse.prototype as http.ServerResponse &
  ResponseInternals
export const nativeResponse = { end, setHeader, writeHead, _finish, _implicitHeader }

export type SendCallback = (error?: Error | null) => void
export type SendEncoding = BufferEncoding | SendCallback | null | undefined

/** Members of http.IncomingMessage that `@types/node` leaves out. */
export interface RequestInternals {
  readonly _eventsCount: number
  readonly _readableState: {
    ended: boolean
    endEmitted: boolean
    destroyed: boolean
    closed: boolean
    closeEmitted: boolean
  }
  _consuming: boolean
  _dumped: boolean
  _addHeaderLines(headers: readonly string[], count: number): void
  _dump(): void
}

/** Found by description on a throw-away response; undefined where this Node has no such symbol. */
export function responseSymbol(description: string): symbol | undefined {
  const probe = new http.ServerResponse(new http.IncomingMessage(probeSocket()))
  return Object.getOwnPropertySymbols(probe).find((symbol) => symbol.description === description)
}

function probeSocket(): ConstructorParameters<typeof http.IncomingMessage>[0] {
  // The constructor reads one number of it and keeps it; nothing is ever read from or written to this message.
  return { readableHighWaterMark: 65_536 } as unknown as ConstructorParameters<typeof http.IncomingMessage>[0]
}

/**
 * V8 gives an object as many slots as it counts assignments to `this` in the constructor that was called; what the
 * constructors of Node add then goes to a second store that grows step by step. Assignments that never run count as well:
 * request and response together cost 0.7 instead of 3.5 us (Node 20 and 24, measured alone).
 */
export const RESERVE_SLOTS: boolean = false

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

export type Slots = { [Slot in `_slot${0 | 1 | 2 | 3}${Digit}`]: undefined }
