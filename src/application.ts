/**
 * The contract between a gateway and an application: PEP 3333, for TypeScript. Types only.
 * `docs/interface.md` is the specification; what is said here is what the types cannot say.
 */

import type { Duplex } from 'node:stream'

/** A string whose code units are bytes, U+0000 to U+00FF: what the front server sent, undecoded (see `text`). */
export type ByteString = string

/** Three digits, one space, a reason phrase: `'200 OK'`. The run-time check is stricter: 200 to 599, no control characters. */
export type Status = `${number} ${string}`

/** Name and value pairs in the order they go out. Repeats stay repeats. The gateway copies the list and never changes it. */
export type HeaderList = readonly (readonly [name: ByteString, value: ByteString])[]

/**
 * Sends `chunk` at once, after the head if that is still to be sent; an empty chunk sends the head alone.
 * Resolves when the transport took the bytes. The memory of `chunk` belongs to the gateway from then on.
 * @throws TsgiError TSGI_APP_WRITE_IN_BODY | TSGI_APP_NOT_STARTED | TSGI_APP_TOO_LONG | TSGI_APP_ENDED
 */
export type Write = (chunk: Uint8Array) => Promise<void>

/**
 * Begins the response (PEP 3333, "The start_response() Callable"). Nothing is sent yet.
 * @param excInfo the error being answered. Only with it may the call be repeated; `undefined` alone counts as not given.
 *   After the head was sent it is thrown back, the same value.
 * @throws TsgiError TSGI_APP_STARTED_TWICE | TSGI_APP_BAD_STATUS | TSGI_APP_BAD_HEADER | TSGI_APP_ENDED
 */
export type StartResponse = (status: Status, headers: HeaderList, excInfo?: unknown) => Write

/** The chunks of a response body. A string or a bare Uint8Array is none: wrap it in an array. */
export type Body = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** What tsgi serves. Called once per request with exactly these two arguments and `this` undefined. */
export type Application = (environ: Environ, startResponse: StartResponse) => Body | PromiseLike<Body>

/** An application around an application. */
export type Middleware = (application: Application) => Application

/** A fresh, mutable object per request, without a prototype. CGI variables are byte strings; keys with a dot are the gateway's. */
export interface Environ {
  REQUEST_METHOD: string
  /** `''` or `/mount`: never `/`, no slash at its end. */
  SCRIPT_NAME: ByteString
  /** Percent-decoded bytes. `''` only when SCRIPT_NAME is not empty. */
  PATH_INFO: ByteString
  /** As sent, undecoded; `''` when there is none. */
  QUERY_STRING: ByteString
  SERVER_NAME: string
  SERVER_PORT: string
  /** The client's protocol as the front server names it: `HTTP/1.1`, `HTTP/2.0`. */
  SERVER_PROTOCOL: string
  /** Absent when the request has no body type, never empty. */
  CONTENT_TYPE?: ByteString
  /** Digits; absent when the length is not known or there is no body. */
  CONTENT_LENGTH?: string
  /** HTTP_*, SSL_*, REMOTE_ADDR, REMOTE_USER and whatever else the front server sent. */
  [variable: Uppercase<string>]: ByteString | undefined

  'tsgi.version': readonly [1, 0]
  'tsgi.url_scheme': 'http' | 'https'
  'tsgi.input': InputStream
  'tsgi.input_terminated': true
  'tsgi.errors': ErrorStream
  'tsgi.multithread': boolean
  'tsgi.multiprocess': boolean
  'tsgi.run_once': boolean
  /** False where the gateway promises one request at a time (`--max-concurrency 1`). */
  'tsgi.concurrent': boolean
  /** Aborted once when the request ends abnormally, never after success. Made when first read. */
  'tsgi.signal': AbortSignal
  /** Registers a callback for after the response; last registered runs first, and none delays the client. */
  'tsgi.after': (callback: (outcome: Outcome) => unknown) => void
  'tsgi.file_wrapper'?: FileWrapper
  'tsgi.state'?: Record<string, unknown>
  /** Sends a 103. Present on the built-in HTTP listener only: no gateway protocol carries it. */
  'tsgi.early_hints'?: (start: StartResponse, headers: HeaderList) => Promise<boolean>
  /** Hands over the connection after the request head; the application writes the 101 itself. Absent on FastCGI. */
  'tsgi.upgrade'?: (start: StartResponse) => Promise<Upgraded>
  [extension: `${string}.${string}`]: unknown
}

export interface Upgraded {
  readonly socket: Duplex
  readonly head: Uint8Array
}

/** The request body. Calls queue in order; a returned array is the caller's. Ends at the end of the body, for ever. */
export interface InputStream extends AsyncIterable<Uint8Array> {
  /** Exactly `size` bytes, fewer only at the end; without `size` all that is left. */
  read(size?: number): Promise<Uint8Array>
  /** Up to and including LF, or `size` bytes. */
  readline(size?: number): Promise<Uint8Array>
  /** All lines, or lines until `hint` bytes are reached. */
  readlines(hint?: number): Promise<Uint8Array[]>
}

/** Text for the error log, tagged with the request. Never throws. */
export interface ErrorStream {
  write(text: string): void
  writelines(lines: Iterable<string>): void
  flush(): void | Promise<void>
}

export type FileWrapper = (file: FileLike | FileRef, blockSize?: number) => FileBody

/** Anything that reads: `null` or an empty array is the end. */
export interface FileLike {
  read(size: number): Uint8Array | null | PromiseLike<Uint8Array | null>
  close?(): unknown
}

/** A file by path, or the bytes `start` (inclusive) to `end` (exclusive) of it. */
export interface FileRef {
  readonly path: string
  readonly start?: number
  readonly end?: number
}

export interface FileBody extends AsyncIterable<Uint8Array> {
  close(): Promise<void>
}

/** How a request ended, for `tsgi.after` and the access log. */
export interface Outcome {
  /** 0 when no head was sent. */
  readonly status: number
  /** Body bytes handed to the transport. */
  readonly bytes: number
  /** The response was cut short, or the client left first. */
  readonly aborted: boolean
  readonly error?: unknown
}
