/**
 * The uwsgi protocol (uwsgi-docs, Protocol.rst):
 *
 *   packet  modifier1 u8 | datasize u16le | modifier2 u8 | datasize bytes of variables | body
 *   variable  size u16le | name | size u16le | value
 *
 * One request a connection. The body is CONTENT_LENGTH bytes; the response is HTTP, and closing is its end.
 */

import { asBuffer } from '../as-buffer.ts'
import { TsgiError } from '../errors.ts'
import type { Decoder, DecoderLimits, Encoder, Params, Protocol, RequestEvent } from './codec.ts'
import { contentLengthOf } from './content-length.ts'
import { NameMemory } from './name-memory.ts'
import { encodeHead } from './response-head.ts'

const HEADER_BYTES = 4
const MODIFIER_REQUEST = 0
const MODIFIER_PING = 100
/** uWSGI's answer to a ping: the same modifier, modifier2 1, no data (uwsgi plugins/ping). */
const PONG = Uint8Array.of(MODIFIER_PING, 0, 0, 1)

/** Every connection is a new decoder, but the front server's variables stay the same. */
const names = new NameMemory()

const NO_BYTES = Buffer.alloc(0)

const malformed = (what: string): TsgiError => new TsgiError('TSGI_PROTOCOL_MALFORMED', `uwsgi: ${what}`)

type State = 'header' | 'ping' | 'variables' | 'body' | 'done'

class UwsgiDecoder implements Decoder {
  readonly #limits: DecoderLimits
  #state: State = 'header'
  /** The bytes fed and not yet read: the caller's memory, valid until `next` returns undefined. */
  #fed: Buffer | undefined
  #at = 0
  /** The start of a packet that came in pieces: ours, sized for the whole piece that is read next. */
  #held: Buffer | undefined
  #heldLength = 0
  /** What was read last: `#piece` from `#pieceAt` on. By index, for each view of a buffer costs as much as parsing a variable. */
  #piece: Buffer = NO_BYTES
  #pieceAt = 0
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
    this.#fed = asBuffer(bytes)
    this.#at = 0
  }

  next(): RequestEvent | undefined {
    if (this.#state === 'header' && !this.#readHeader()) return undefined
    if (this.#state === 'variables') return this.#readVariables()
    if (this.#state === 'body') return this.#readBody()
    if (this.#state === 'ping') return this.#answerPing()
    this.#letGo() // what follows a request means nothing: one request a connection
    return undefined
  }

  /** @returns whether the next `length` bytes are there, as one piece; what has come of them is held until they are */
  #read(length: number): boolean {
    const fed = this.#fed
    const available = fed === undefined ? 0 : fed.length - this.#at
    if (this.#heldLength === 0 && fed !== undefined && available >= length) {
      this.#piece = fed
      this.#pieceAt = this.#at
      this.#at += length
      return true
    }
    if (fed === undefined || available === 0) {
      this.#letGo()
      return false
    }
    this.#held ??= Buffer.allocUnsafe(length)
    const taken = Math.min(length - this.#heldLength, available)
    fed.copy(this.#held, this.#heldLength, this.#at, this.#at + taken)
    this.#at += taken
    this.#heldLength += taken
    if (this.#heldLength < length) {
      this.#letGo()
      return false
    }
    this.#piece = this.#held
    this.#pieceAt = 0
    this.#held = undefined
    this.#heldLength = 0
    return true
  }

  /** The caller's memory is the caller's again. */
  #letGo(): void {
    this.#fed = undefined
    this.#piece = NO_BYTES
  }

  #readHeader(): boolean {
    if (!this.#read(HEADER_BYTES)) return false
    const header = this.#piece
    const at = this.#pieceAt
    const modifier1 = header[at] ?? 0
    this.#dataSize = (header[at + 1] ?? 0) | ((header[at + 2] ?? 0) << 8)
    if (modifier1 !== MODIFIER_REQUEST && modifier1 !== MODIFIER_PING) {
      throw new TsgiError(
        'TSGI_PROTOCOL_UNSUPPORTED',
        `uwsgi: modifier1 ${modifier1} is not served; only 0 (request) and 100 (ping) are`,
      )
    }
    if (modifier1 === MODIFIER_PING) {
      if (this.#dataSize !== 0)
        throw malformed(`a ping carries no variables, this one announces ${this.#dataSize} bytes`)
      this.#state = 'ping'
    } else this.#state = 'variables'
    return true
  }

  #answerPing(): RequestEvent {
    this.#state = 'done'
    return { kind: 'reply', bytes: PONG, close: true }
  }

  #readVariables(): RequestEvent | undefined {
    if (!this.#read(this.#dataSize)) return undefined
    this.#state = 'done'
    if (this.#dataSize > this.#limits.maxParamsBytes) {
      return tooLarge(`${this.#dataSize} bytes of variables, allowed are ${this.#limits.maxParamsBytes}`)
    }
    const params = parseVariables(this.#piece, this.#pieceAt, this.#pieceAt + this.#dataSize)
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
      this.#letGo()
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

/**
 * The variables in `block[start, end)`.
 * @throws TsgiError TSGI_PROTOCOL_MALFORMED where a size points beyond the end
 */
function parseVariables(block: Buffer, start: number, end: number): Params {
  const text = block.toString('latin1', start, end)
  const params: string[] = []
  let at = start
  let count = 0
  while (at < end) {
    const nameStart = at + 2
    const nameEnd = nameStart + sizeAt(block, at, start, end, 'name')
    const valueStart = nameEnd + 2
    const valueEnd = valueStart + sizeAt(block, nameEnd, start, end, 'value')
    const name = names.read(count >> 1, block, nameStart, nameEnd, text, nameStart - start)
    params[count++] = name
    params[count++] = text.substring(valueStart - start, valueEnd - start)
    at = valueEnd
  }
  return params
}

/** The u16le at `at`, checked: both it and the bytes it announces must lie in `block[start, end)`. */
function sizeAt(block: Buffer, at: number, start: number, end: number, what: 'name' | 'value'): number {
  if (at + 2 > end) {
    const where = `at byte ${at - start} of ${end - start}`
    throw malformed(`the block of variables ends inside the size of a ${what}, ${where}`)
  }
  const size = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8)
  if (at + 2 + size > end) {
    const where = `at byte ${at - start} runs past the end of the block of ${end - start}`
    throw malformed(`a ${what} of ${size} bytes ${where}`)
  }
  if (size === 0 && what === 'name') throw malformed(`a variable without a name, at byte ${at - start}`)
  return size
}

const encoder: Encoder = {
  start: (_requestId, status, headers, chunk) => encodeHead('HTTP/1.1 ', status, headers, chunk),
  chunk: (_requestId, bytes) => [bytes],
  end: () => undefined,
  abort: () => undefined,
}

export const uwsgi: Protocol = {
  name: 'uwsgi',
  createDecoder: (limits) => new UwsgiDecoder(limits),
  encoder,
  carriesUpgrade: true,
  keepsConnections: false,
  directive: { nginx: 'uwsgi_pass', apache: 'uwsgi://' },
}
