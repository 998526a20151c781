/**
 * The uwsgi protocol (uwsgi-docs, Protocol.rst):
 *
 *   packet  modifier1 u8 | datasize u16le | modifier2 u8 | datasize bytes of variables | body
 *   variable  size u16le | name | size u16le | value
 *
 * One request a connection. The body is CONTENT_LENGTH bytes; the response is HTTP, and closing is its end.
 */

import type { HeaderList } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { Decoder, DecoderLimits, Encoder, Params, Protocol, RequestEvent } from './codec.ts'
import { contentLengthOf } from './content-length.ts'
import { NameMemory } from './name-memory.ts'
import { joinHead, responseHead } from './response-head.ts'

const HEADER_BYTES = 4
const MODIFIER_REQUEST = 0
const MODIFIER_PING = 100
/** uWSGI's answer to a ping: the same modifier, modifier2 1, no data (uwsgi plugins/ping). */
const PONG = Uint8Array.of(MODIFIER_PING, 0, 0, 1)

/** Every connection is a new decoder, but the front server's variables stay the same. */
const names = new NameMemory()

const malformed = (what: string): TsgiError => new TsgiError('TSGI_PROTOCOL_MALFORMED', `uwsgi: ${what}`)

type State = 'header' | 'variables' | 'body' | 'done'

class UwsgiDecoder implements Decoder {
  readonly #limits: DecoderLimits
  #state: State = 'header'
  /** The bytes fed and not yet read: the caller's memory, valid until `next` returns undefined. */
  #fed: Uint8Array | undefined
  #at = 0
  /** The start of a packet that came in pieces: ours, sized for the whole packet once its header is known. */
  #held: Buffer | undefined
  #heldLength = 0
  #dataSize = 0
  #bodyLeft = 0

  constructor(limits: DecoderLimits) {
    this.#limits = limits
  }

  get midRequest(): boolean {
    if (this.#state === 'header') return this.#heldLength > 0
    return this.#state !== 'done'
  }

  feed(bytes: Uint8Array): void {
    this.#fed = bytes
    this.#at = 0
  }

  next(): RequestEvent | undefined {
    if (this.#state === 'header' && !this.#readHeader()) return undefined
    if (this.#state === 'variables') return this.#readVariables()
    if (this.#state === 'body') return this.#readBody()
    this.#fed = undefined // what follows a request means nothing: one request a connection
    return undefined
  }

  /** The next `length` bytes of the packet as one piece, or undefined when they have not all arrived; then they are held. */
  #take(length: number, capacity: number): Uint8Array | undefined {
    const fed = this.#fed
    const available = fed === undefined ? 0 : fed.length - this.#at
    if (this.#heldLength === 0 && fed !== undefined && available >= length) {
      this.#at += length
      return fed.subarray(this.#at - length, this.#at)
    }
    if (available === 0) {
      this.#fed = undefined
      return undefined
    }
    this.#held ??= Buffer.allocUnsafe(capacity)
    const wanted = Math.min(length - this.#heldLength, available)
    if (fed !== undefined && wanted > 0) {
      this.#held.set(fed.subarray(this.#at, this.#at + wanted), this.#heldLength)
      this.#at += wanted
      this.#heldLength += wanted
    }
    if (this.#heldLength < length) {
      this.#fed = undefined
      return undefined
    }
    const taken = this.#held.subarray(0, length)
    this.#held = undefined
    this.#heldLength = 0
    return taken
  }

  #readHeader(): boolean {
    const header = this.#take(HEADER_BYTES, HEADER_BYTES)
    if (header === undefined) return false
    // By index: taking an array apart goes through its iterator.
    const modifier1 = header[0] ?? 0
    this.#dataSize = (header[1] ?? 0) | ((header[2] ?? 0) << 8)
    if (modifier1 !== MODIFIER_REQUEST && modifier1 !== MODIFIER_PING) {
      throw new TsgiError(
        'TSGI_PROTOCOL_UNSUPPORTED',
        `uwsgi: modifier1 ${modifier1} is not served; only 0 (request) and 100 (ping) are`,
      )
    }
    if (modifier1 === MODIFIER_PING) {
      if (this.#dataSize !== 0)
        throw malformed(`a ping carries no variables, this one announces ${this.#dataSize} bytes`)
      this.#dataSize = -1
    }
    this.#state = 'variables'
    return true
  }

  #readVariables(): RequestEvent | undefined {
    if (this.#dataSize < 0) {
      this.#state = 'done'
      return { kind: 'reply', bytes: PONG, close: true }
    }
    const block = this.#dataSize === 0 ? new Uint8Array(0) : this.#take(this.#dataSize, this.#dataSize)
    if (block === undefined) return undefined
    this.#state = 'done'
    if (block.length > this.#limits.maxParamsBytes) {
      return tooLarge(`${block.length} bytes of variables, allowed are ${this.#limits.maxParamsBytes}`)
    }
    const params = parseVariables(block)
    if (params.length > 2 * this.#limits.maxParams) {
      return tooLarge(`${params.length / 2} variables, allowed are ${this.#limits.maxParams}`)
    }
    const contentLength = contentLengthOf(params)
    if (typeof contentLength !== 'number') return { kind: 'refuse', requestId: 0, error: contentLength }
    this.#bodyLeft = contentLength
    this.#state = 'body'
    return { kind: 'begin', requestId: 0, params, contentLength, keepConnection: false }
  }

  #readBody(): RequestEvent | undefined {
    if (this.#bodyLeft === 0) {
      this.#state = 'done'
      return { kind: 'end', requestId: 0 }
    }
    const fed = this.#fed
    if (fed === undefined || this.#at === fed.length) {
      this.#fed = undefined
      return undefined
    }
    const chunk = fed.subarray(this.#at, Math.min(fed.length, this.#at + this.#bodyLeft))
    this.#at += chunk.length
    this.#bodyLeft -= chunk.length
    return { kind: 'body', requestId: 0, chunk }
  }
}

const tooLarge = (what: string): RequestEvent => ({
  kind: 'refuse',
  requestId: 0,
  error: new TsgiError('TSGI_PROTOCOL_TOO_LARGE', `uwsgi: ${what}`),
})

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED where a size points beyond the block */
function parseVariables(block: Uint8Array): Params {
  const text = Buffer.from(block.buffer, block.byteOffset, block.length).toString('latin1')
  const end = block.length
  const params: string[] = []
  let at = 0
  let index = 0
  while (at < end) {
    const nameStart = at + 2
    const nameEnd = nameStart + sizeAt(block, at, 'name')
    const valueStart = nameEnd + 2
    const valueEnd = valueStart + sizeAt(block, nameEnd, 'value')
    params.push(names.read(index++, block, nameStart, nameEnd, text, nameStart), text.substring(valueStart, valueEnd))
    at = valueEnd
  }
  return params
}

/** The u16le at `at`, checked: both it and the bytes it announces must lie in the block. */
function sizeAt(block: Uint8Array, at: number, what: 'name' | 'value'): number {
  const low = block[at]
  const high = block[at + 1]
  if (low === undefined || high === undefined) {
    throw malformed(`the block of variables ends inside the size of a ${what}, at byte ${at} of ${block.length}`)
  }
  const size = low | (high << 8)
  if (at + 2 + size > block.length) {
    throw malformed(`a ${what} of ${size} bytes at byte ${at} runs past the end of the block of ${block.length}`)
  }
  if (size === 0 && what === 'name') throw malformed(`a variable without a name, at byte ${at}`)
  return size
}

const encoder: Encoder = {
  start: (_requestId: number, status: string, headers: HeaderList, chunk: Uint8Array | undefined): Uint8Array =>
    joinHead(responseHead(`HTTP/1.1 ${status}`, headers), chunk),
  chunk: (_requestId: number, bytes: Uint8Array): readonly Uint8Array[] => [bytes],
  end: () => undefined,
  abort: () => undefined,
}

export const uwsgi: Protocol = {
  name: 'uwsgi',
  createDecoder: (limits) => new UwsgiDecoder(limits),
  encoder,
  carriesUpgrade: true,
  directive: { nginx: 'uwsgi_pass', apache: 'uwsgi://' },
}
