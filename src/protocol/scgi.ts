/**
 * SCGI (python.ca/scgi, protocol.txt):
 *
 *   request   length in digits | ':' | headers, length bytes of them | ',' | body
 *   header    name | 00 | value | 00
 *
 * One request a connection. The body is CONTENT_LENGTH bytes; the response is CGI, and closing is its end.
 *
 * Looser than the text where front servers are: CONTENT_LENGTH may stand anywhere, SCGI=1 may come second, eighth (nginx)
 * or last (lighttpd) or, where an nginx location lacks `include scgi_params`, not at all.
 */

import { describe, TsgiError } from '../errors.ts'
import { ByteQueue } from './byte-queue.ts'
import type { Decoder, DecoderLimits, Encoder, Protocol, RequestEvent } from './codec.ts'
import { announcedLengthOf, parseLength } from './content-length.ts'
import { NameMemory } from './name-memory.ts'
import { encodeHead } from './response-head.ts'

const COLON = 0x3a
const COMMA = 0x2c
const ZERO = 0x30
/** Digits of a length that could ever be allowed: 10 GB of variables. */
const MAX_LENGTH_DIGITS = 10

/** Every connection is a new decoder, but the front server's variables stay the same. */
const names = new NameMemory()

class ScgiDecoder implements Decoder {
  readonly #limits: DecoderLimits
  readonly #queue = new ByteQueue()
  /** `refused`: whatever follows is passed over. */
  #state: 'length' | 'headers' | 'body' | 'done' | 'refused' = 'length'
  #headersLength = 0
  #contentLength = 0
  #bodyLeft = 0
  #failure: TsgiError | undefined

  constructor(limits: DecoderLimits) {
    this.#limits = limits
  }

  get midRequest(): boolean {
    if (this.#state === 'length') return this.#queue.length > 0
    return this.#state === 'headers' || this.#state === 'body'
  }

  feed(bytes: Uint8Array): void {
    this.#queue.push(bytes)
  }

  next(): RequestEvent | undefined {
    if (this.#failure !== undefined) throw this.#failure
    const event = this.#read()
    if (event === undefined) this.#queue.detach()
    return event
  }

  #read(): RequestEvent | undefined {
    if (this.#state === 'length') {
      const refusal = this.#readLength()
      if (refusal !== undefined) return refusal
    }
    switch (this.#state) {
      case 'length':
        return undefined
      case 'headers':
        // The comma too: what is in front of it is not believed before.
        return this.#queue.length > this.#headersLength ? this.#readHeaders() : undefined
      case 'body':
        return this.#readBody()
      case 'done':
        if (this.#queue.length === 0) return undefined
        throw this.#malformed(`${this.#queue.length} bytes after the ${this.#contentLength} that CONTENT_LENGTH says`)
      case 'refused':
        this.#queue.skip(this.#queue.length)
        return undefined
    }
  }

  #readLength(): RequestEvent | undefined {
    const queue = this.#queue
    let length = 0
    for (let index = 0; index < queue.length; index += 1) {
      const byte = queue.at(index)
      if (byte === COLON && index > 0) {
        queue.skip(index + 1)
        this.#headersLength = length
        this.#state = 'headers'
        if (length <= this.#limits.maxParamsBytes) return undefined
        return this.#refuse(
          'TSGI_PROTOCOL_TOO_LARGE',
          `${length} bytes of variables, allowed are ${this.#limits.maxParamsBytes}`,
        )
      }
      const digit = byte - ZERO
      if (digit < 0 || digit > 9)
        throw this.#malformed(`byte ${describeByte(byte)} at ${index} of the netstring's length`)
      if (index === 1 && length === 0) throw this.#malformed("the netstring's length begins with 0")
      if (index === MAX_LENGTH_DIGITS) throw this.#malformed(`a netstring's length of more than ${index} digits`)
      length = length * 10 + digit
    }
    return undefined
  }

  #readHeaders(): RequestEvent {
    const block = this.#queue.take(this.#headersLength)
    const end = this.#queue.at(0)
    if (end !== COMMA) throw this.#malformed(`byte ${describeByte(end)} instead of a comma after the netstring`)
    this.#queue.skip(1)
    const params = this.#parseHeaders(block)
    if (params.length > 2 * this.#limits.maxParams) {
      return this.#refuse(
        'TSGI_PROTOCOL_TOO_LARGE',
        `${params.length / 2} variables, allowed are ${this.#limits.maxParams}`,
      )
    }
    const scgi = onlyValueOf(params, 'SCGI')
    if (scgi !== undefined && scgi !== '1') {
      return this.#refuse('TSGI_PROTOCOL_BAD_REQUEST', `SCGI is ${describe(scgi)}, only 1 is defined`)
    }
    const announcedLength = announcedLengthOf(params)
    if (announcedLength instanceof TsgiError) return this.#refusal(announcedLength)
    const contentLength = completedByNginx(params, announcedLength ?? 0)
    this.#contentLength = contentLength
    this.#bodyLeft = contentLength
    this.#state = 'body'
    return { kind: 'begin', requestId: 0, params, contentLength, keepConnection: false }
  }

  #parseHeaders(block: Buffer): string[] {
    // One string and substrings of it: a third of the cost of a string per name and value.
    const text = block.toString('latin1')
    const params: string[] = []
    let place = 0
    for (let at = 0; at < text.length; ) {
      const nameEnd = text.indexOf('\0', at)
      const valueEnd = nameEnd < 0 ? -1 : text.indexOf('\0', nameEnd + 1)
      if (valueEnd < 0) throw this.#malformed(`the header at byte ${at} of the netstring has no end`)
      if (nameEnd === at) throw this.#malformed(`a header without a name at byte ${at} of the netstring`)
      params.push(names.read(place, block, at, nameEnd, text, at), text.substring(nameEnd + 1, valueEnd))
      place += 1
      at = valueEnd + 1
    }
    return params
  }

  #readBody(): RequestEvent | undefined {
    if (this.#bodyLeft === 0) {
      this.#state = 'done'
      return { kind: 'end', requestId: 0 }
    }
    if (this.#queue.length === 0) return undefined
    const chunk = this.#queue.take(Math.min(this.#bodyLeft, this.#queue.length))
    this.#bodyLeft -= chunk.length
    return { kind: 'body', requestId: 0, chunk }
  }

  #refuse(code: 'TSGI_PROTOCOL_TOO_LARGE' | 'TSGI_PROTOCOL_BAD_REQUEST', what: string): RequestEvent {
    return this.#refusal(new TsgiError(code, `SCGI: ${what}`))
  }

  #refusal(error: TsgiError): RequestEvent {
    this.#state = 'refused'
    return { kind: 'refuse', requestId: 0, error }
  }

  #malformed(what: string): TsgiError {
    this.#failure = new TsgiError('TSGI_PROTOCOL_MALFORMED', `SCGI: ${what}`)
    return this.#failure
  }
}

const describeByte = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`

/** The value of the only variable of this name; undefined where there is none, or several. */
function onlyValueOf(params: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let index = 0; index < params.length; index += 2) {
    if (params[index] !== name) continue
    if (found !== undefined) return undefined
    found = params[index + 1]
  }
  return found
}

/**
 * nginx before 1.29.6 with `scgi_request_buffering off` sends as CONTENT_LENGTH what it has read of the body so far, then the
 * whole body: an upload would be cut without anybody noticing. HTTP_CONTENT_LENGTH, the client's own header, which nginx has
 * checked, then has the length. It counts only where
 *  - it is there once, is digits, and is more than CONTENT_LENGTH: a body is never cut short for it;
 *  - SERVER_SOFTWARE is absent (scgi_params has none) or nginx: lighttpd makes HTTP_CONTENT_LENGTH of a client's
 *    `Content_Length` header too, so there the client could make a worker wait for bytes that never come;
 *  - there is no HTTP_TRANSFER_ENCODING: nginx has then read the whole body, and its CONTENT_LENGTH is right.
 * The connection carries nothing after the body, so reading further cannot take the bytes of another request.
 * CONTENT_LENGTH among the variables is set right as well.
 */
function completedByNginx(params: string[], announcedLength: number): number {
  const text = onlyValueOf(params, 'HTTP_CONTENT_LENGTH')
  const clientLength = text === undefined ? undefined : parseLength(text)
  if (text === undefined || clientLength === undefined || clientLength <= announcedLength) return announcedLength
  const software = onlyValueOf(params, 'SERVER_SOFTWARE')
  if (software !== undefined && !software.startsWith('nginx')) return announcedLength
  if (params.some((name, index) => index % 2 === 0 && name === 'HTTP_TRANSFER_ENCODING')) return announcedLength
  const place = params.findIndex((name, index) => index % 2 === 0 && name === 'CONTENT_LENGTH')
  // Without CONTENT_LENGTH it is not this nginx: it sends the variable always.
  if (place < 0) return announcedLength
  params[place + 1] = text
  return clientLength
}

const encoder: Encoder = {
  start: (_requestId, status, headers, chunk) => encodeHead('Status: ', status, headers, chunk),
  chunk: (_requestId, bytes) => [bytes],
  end: () => undefined,
  abort: () => undefined,
}

export const scgi: Protocol = {
  name: 'scgi',
  createDecoder: (limits) => new ScgiDecoder(limits),
  encoder,
  carriesUpgrade: true,
  keepsConnections: false,
  directive: { nginx: 'scgi_pass', apache: 'scgi://' },
}
