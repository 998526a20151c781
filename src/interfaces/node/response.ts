/**
 * http.ServerResponse with the last step replaced: `_storeHeader`, `_send`, `_writeRaw` and `_finish` as own properties,
 * because frameworks put their own prototype under the object (Express does so for every request).
 */

import http from 'node:http'
import type { HeaderList } from '../../application.ts'
import { endWhole } from './end-whole.ts'
import { EXCHANGE, type GatewayResponse, type NodeExchange } from './exchange.ts'
import { nativeResponse, RESERVE_SLOTS, type SendCallback, type SendEncoding, type Slots } from './internals.ts'
import { outgoingHeaders, setKnownHeader } from './outgoing-headers.ts'
import { statusLine } from './status-lines.ts'

export type ResponseConstructor = new (request: http.IncomingMessage, exchange: NodeExchange) => GatewayResponse

/**
 * A constructor whose instances are born with `prototype`: where that is the application's own, a framework's
 * Object.setPrototypeOf is a no-op instead of 20 to 40 us per request (V8 before Node 24 drops such objects to slow maps).
 */
export function responseConstructor(prototype: object): ResponseConstructor {
  function Response(this: GatewayResponse & Slots, request: http.IncomingMessage, exchange: NodeExchange): void {
    if (RESERVE_SLOTS) {
      this._slot00 = undefined
      this._slot01 = undefined
      this._slot02 = undefined
      this._slot03 = undefined
      this._slot04 = undefined
      this._slot05 = undefined
      this._slot06 = undefined
      this._slot07 = undefined
      this._slot08 = undefined
      this._slot09 = undefined
      this._slot10 = undefined
      this._slot11 = undefined
      this._slot12 = undefined
      this._slot13 = undefined
      this._slot14 = undefined
      this._slot15 = undefined
      this._slot16 = undefined
      this._slot17 = undefined
      this._slot18 = undefined
      this._slot19 = undefined
      this._slot20 = undefined
      this._slot21 = undefined
      this._slot22 = undefined
      this._slot23 = undefined
      this._slot24 = undefined
      this._slot25 = undefined
      this._slot26 = undefined
      this._slot27 = undefined
      this._slot28 = undefined
      this._slot29 = undefined
      this._slot30 = undefined
      this._slot31 = undefined
    }
    http.ServerResponse.call(this, request)
    this[EXCHANGE] = exchange
    this._storeHeader = storeHeader
    this._send = send
    this._writeRaw = writeRaw
    this._finish = finish
    // `@types/node` has one as read-only and the others with overloads.
    const members = this as unknown as {
      end: unknown
      setHeader: unknown
      socket: unknown
      writeEarlyHints: unknown
    }
    // Not where the application, or what instruments it, has put its own in the prototype.
    if (members.end === nativeResponse.end) members.end = endWhole
    if (members.setHeader === nativeResponse.setHeader) members.setHeader = setKnownHeader
    if (exchange.source.earlyHints !== undefined) members.writeEarlyHints = writeEarlyHints
    // Assigned to as Node's assignSocket does; ClientSocket has what is used of a net.Socket, and no stream below it.
    members.socket = exchange.socket
    exchange.socket._httpMessage = this
  }
  Response.prototype = prototype
  // TypeScript has no type for a plain function called with `new`; a class cannot be given another prototype object.
  return Response as unknown as ResponseConstructor
}

function storeHeader(this: GatewayResponse, _firstLine: string, headers: unknown): void {
  const list = outgoingHeaders(this, headers)
  if (this.strictContentLength) noteLength(this, list)
  const { status, header } = statusLine(this)
  this[EXCHANGE].head(status, list)
  this.chunkedEncoding = false
  this._header = header
  this._headerSent = false
}

/** What Node's `write` and `end` then compare the body with. */
function noteLength(response: GatewayResponse, headers: HeaderList): void {
  for (const [name, value] of headers) if (/^content-length$/i.test(name)) response._contentLength = Number(value)
}

function send(
  this: GatewayResponse,
  data: string | Uint8Array,
  encoding?: SendEncoding,
  callback?: SendCallback | null,
): boolean {
  if (this._header !== null) this._headerSent = true
  return this[EXCHANGE].push(data, encoding, callback)
}

/** Reached by interim responses only (100, 102, 103): no gateway protocol carries them, the built-in listener sends 103. */
function writeRaw(
  this: GatewayResponse,
  data: string | Uint8Array,
  encoding?: SendEncoding,
  callback?: SendCallback | null,
): boolean {
  const exchange = this[EXCHANGE]
  const hints = typeof data === 'string' && data.startsWith('HTTP/1.1 103 ') ? headerLines(data) : undefined
  if (hints !== undefined) exchange.earlyHints(hints)
  const done = typeof encoding === 'function' ? encoding : callback
  if (done) process.nextTick(done)
  return true
}

/** Node puts all but the link into the 103 as it is, line breaks included. What is no object it refuses itself. */
function writeEarlyHints(this: GatewayResponse, hints: Record<string, string | string[]>, callback?: () => void): void {
  for (const [name, value] of Object.entries(hints ?? {})) {
    if (name === 'link') continue
    http.validateHeaderName(name)
    http.validateHeaderValue(name, String(value))
  }
  http.ServerResponse.prototype.writeEarlyHints.call(this, hints, callback)
}

function headerLines(head: string): HeaderList {
  return head
    .split('\r\n')
    .slice(1)
    .filter((line) => line.includes(': '))
    .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)] as const)
}

/** Reached from Node's own `end`. */
function finish(this: GatewayResponse): void {
  nativeResponse._finish.call(this)
  const exchange = this[EXCHANGE]
  exchange.messages?.ended()
  exchange.finish()
}
