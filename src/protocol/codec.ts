/**
 * What every gateway protocol is to the rest of tsgi: bytes in, events out; a response in, bytes out. No I/O, no clock,
 * no log: a codec can be tested by comparing arrays, and cannot be slow in a way that hides.
 */

import type { HeaderList } from '../application.ts'
import type { TsgiError } from '../errors.ts'

/**
 * name, value, name, value, ... as received: in order, repeats included. Every code unit is one byte.
 * A flat array because one is made per request and read once.
 */
export type Params = readonly string[]

/** One thing that the peer did. `requestId` is 0 where the protocol has no ids. */
export type RequestEvent =
  | RequestBegin
  /** A piece of the request body. The bytes are the decoder's input: valid until the next `feed`, copied by whoever keeps them. */
  | { readonly kind: 'body'; readonly requestId: number; readonly chunk: Uint8Array }
  /** The request body is complete. */
  | { readonly kind: 'end'; readonly requestId: number }
  /** The peer gave this request up and wants no more of its response (FastCGI section 5.4). */
  | { readonly kind: 'abort'; readonly requestId: number }
  /**
   * A request that must not reach the application: answered with `error.status`, then closed, unless `keepConnection`: FastCGI
   * frames survive a bad request, and other requests may run on the connection. After `begin` it means that the body
   * contradicts CONTENT_LENGTH: reading the input fails with `error`, and no `body` or `end` of this request follows.
   */
  | {
      readonly kind: 'refuse'
      readonly requestId: number
      readonly error: TsgiError
      readonly keepConnection?: boolean
    }
  /** Bytes to send back as they are: answers to management records and pings. `error` says why, where that is worth a log line. */
  | { readonly kind: 'reply'; readonly bytes: Uint8Array; readonly close: boolean; readonly error?: TsgiError }

interface RequestBegin {
  readonly kind: 'begin'
  readonly requestId: number
  readonly params: Params
  /** Bytes of the body; undefined where only an `end` event tells (FastCGI without CONTENT_LENGTH: nginx sends `''`). */
  readonly contentLength: number | undefined
  /** The connection may serve another request after this one (FCGI_KEEP_CONN). */
  readonly keepConnection: boolean
}

/** Bounds on what a peer can make a decoder hold. */
export interface DecoderLimits {
  /** Bytes of all variables of one request, lengths included. */
  readonly maxParamsBytes: number
  /** Number of variables of one request. */
  readonly maxParams: number
  /** Requests open at once on one connection (FastCGI multiplexing). */
  readonly maxRequests: number
  /** What FCGI_GET_VALUES is told as FCGI_MAX_CONNS: 1024 where nothing is said. No decoder can enforce it. */
  readonly maxConnections?: number
}

/**
 * Pulled: `feed` bytes, then `next` until it returns undefined. The result is the same however the bytes are cut.
 * When `next` has returned undefined the decoder holds no reference to the bytes fed: what it still needs it has copied.
 */
export interface Decoder {
  feed(bytes: Uint8Array): void
  /** @throws TsgiError of kind protocol: nothing that follows on this connection can be understood. */
  next(): RequestEvent | undefined
  /** Bytes received that belong to no complete event yet, or a body that is not complete: an end of stream now is a truncation. */
  readonly midRequest: boolean
  /**
   * Where it is less than `midRequest`: what is missing belongs to a request that is not over. A front server that was answered
   * before it had sent the whole body may leave in the middle of it.
   */
  readonly owing?: boolean
  /** The highest request id used so far, where there are ids: what a decoder that goes on with the connection has to know. */
  readonly highestId?: number
  /**
   * The response to `requestId` is complete, or was given up: what still comes of its body is dropped without an event, and the
   * peer may use the id again. Must be called, once per `begin` or `refuse`, where it exists: a FastCGI id is open until then.
   */
  answered?(requestId: number): void
}

/** Stateless: one object serves every connection of its protocol. */
export interface Encoder {
  /**
   * The head, the first chunk where there already is one, and the end where that is known too: one buffer, one write.
   * @param status `'200 OK'`, checked before
   * @param headers checked before; Connection and Transfer-Encoding never among them
   */
  start(
    requestId: number,
    status: string,
    headers: HeaderList,
    chunk: Uint8Array | undefined,
    last: boolean,
    keepConnection: boolean,
  ): Uint8Array
  /** @param bytes never empty */
  chunk(requestId: number, bytes: Uint8Array): readonly Uint8Array[]
  /** Undefined where closing the connection is the end. */
  end(requestId: number, keepConnection: boolean): Uint8Array | undefined
  /** What makes the front server see that the response broke off; undefined where only a reset can say so. */
  abort(requestId: number): Uint8Array | undefined
  /** Text for the front server's error log, where the protocol carries it (FCGI_STDERR). */
  errors?(requestId: number, text: string): readonly Uint8Array[]
}

/** One row of the registry (`protocols.ts`). */
export interface Protocol {
  readonly name: 'uwsgi' | 'fastcgi' | 'scgi'
  /** @param highestId of the decoder that read the connection until now, between two requests */
  readonly createDecoder: (limits: DecoderLimits, highestId?: number) => Decoder
  readonly encoder: Encoder
  /** A 101 passes, and the bytes after it (nginx ngx_http_uwsgi_module.c and ngx_http_scgi_module.c: upgrade). */
  readonly carriesUpgrade: boolean
  /** A connection may serve more than one request, and idle between them. */
  readonly keepsConnections: boolean
  /** The directives of the front servers that speak it, for messages: `{ nginx: 'uwsgi_pass', apache: 'uwsgi://' }`. */
  readonly directive: { readonly nginx: string; readonly apache: string }
}
