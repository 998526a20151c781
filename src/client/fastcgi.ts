/** The front server's side of FastCGI 1.0, responder role. */

import { ByteQueue } from '../protocol/byte-queue.ts'
import type { Params } from '../protocol/codec.ts'
import {
  HEADER_BYTES,
  MAX_CONTENT_BYTES,
  paddingFor,
  ROLE_RESPONDER,
  TYPE,
  VERSION,
} from '../protocol/fastcgi-records.ts'
import { type GatewayRequest, type ResponseEvent, type ResponseParser, withContentLength } from './request.ts'
import { ResponseText } from './response-text.ts'

/** One record (section 3.3). Nothing is checked: wrong ones are wanted too. */
export function encodeFastcgiRecord(type: number, requestId: number, content: Uint8Array, paddingBytes = 0): Buffer {
  const header = Buffer.from([VERSION, type, 0, 0, 0, 0, paddingBytes, 0])
  header.writeUInt16BE(requestId, 2)
  header.writeUInt16BE(content.length, 4)
  return Buffer.concat([header, content, Buffer.alloc(paddingBytes)])
}

/** Name-value pairs (section 3.4). */
export function encodeFastcgiPairs(params: Params): Buffer {
  const pieces: Buffer[] = []
  for (let index = 0; index < params.length; index += 2) {
    const name = Buffer.from(params[index] ?? '', 'latin1')
    const value = Buffer.from(params[index + 1] ?? '', 'latin1')
    pieces.push(encodeLength(name.length), encodeLength(value.length), name, value)
  }
  return Buffer.concat(pieces)
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length + 2 ** 31)
  return bytes
}

/** FCGI_BEGIN_REQUEST (section 5.1). */
export function encodeBeginRequest(requestId: number, keepConnection: boolean, role = ROLE_RESPONDER): Buffer {
  const content = Buffer.alloc(8)
  content.writeUInt16BE(role)
  content.writeUInt8(keepConnection ? 1 : 0, 2)
  return encodeFastcgiRecord(TYPE.beginRequest, requestId, content)
}

/** A stream (section 3.3): records of at most `recordBytes` content, padded to 8, and the empty one that ends it. */
export function encodeFastcgiStream(
  type: number,
  requestId: number,
  bytes: Uint8Array,
  recordBytes = MAX_CONTENT_BYTES,
): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; at += recordBytes) {
    const content = bytes.subarray(at, at + recordBytes)
    records.push(encodeFastcgiRecord(type, requestId, content, paddingFor(content.length)))
  }
  return Buffer.concat([...records, encodeFastcgiRecord(type, requestId, new Uint8Array(0))])
}

interface FastcgiRequestOptions {
  /** 1 unless requests share the connection. */
  readonly requestId?: number
  readonly keepConnection?: boolean
  /** Where PARAMS and STDIN are cut into records. */
  readonly recordBytes?: number
}

/** Params are byte strings. */
export function encodeFastcgiRequest(request: GatewayRequest, options: FastcgiRequestOptions = {}): Buffer[] {
  const { requestId = 1, keepConnection = false, recordBytes = MAX_CONTENT_BYTES } = options
  const pairs = encodeFastcgiPairs(withContentLength(request))
  return [
    encodeBeginRequest(requestId, keepConnection),
    encodeFastcgiStream(TYPE.params, requestId, pairs, recordBytes),
    encodeFastcgiStream(TYPE.stdin, requestId, request.body ?? new Uint8Array(0), recordBytes),
  ]
}

interface FastcgiRecord {
  readonly version: number
  readonly type: number
  readonly requestId: number
  readonly content: Buffer
}

/** Records out of bytes, however they are cut. */
export class FastcgiRecordReader {
  readonly #queue = new ByteQueue()

  /** Bytes that make no whole record yet. */
  get pendingBytes(): number {
    return this.#queue.length
  }

  feed(bytes: Uint8Array): FastcgiRecord[] {
    const queue = this.#queue
    queue.push(bytes)
    const records: FastcgiRecord[] = []
    while (queue.length >= HEADER_BYTES) {
      const contentLength = (queue.at(4) << 8) | queue.at(5)
      const padding = queue.at(6)
      if (queue.length < HEADER_BYTES + contentLength + padding) break
      const header = queue.take(HEADER_BYTES)
      const content = queue.take(contentLength)
      queue.skip(padding)
      const [version = 0, type = 0] = header
      records.push({ version, type, requestId: header.readUInt16BE(2), content })
    }
    queue.detach()
    return records
  }
}

class FastcgiResponseParser implements ResponseParser {
  readonly #records = new FastcgiRecordReader()
  readonly #requestId: number
  readonly #text: ResponseText
  #ended = false

  constructor(requestId: number, bodiless: boolean) {
    this.#requestId = requestId
    this.#text = new ResponseText('cgi', bodiless)
  }

  feed(bytes: Uint8Array): readonly ResponseEvent[] {
    return this.#records.feed(bytes).flatMap((record) => this.#read(record))
  }

  close(): readonly ResponseEvent[] {
    return this.#end('the connection was closed before END_REQUEST')
  }

  #read({ version, type, requestId, content }: FastcgiRecord): readonly ResponseEvent[] {
    if (this.#ended) return []
    if (version !== VERSION) return this.#end(`a record of version ${version}: the response was given up`)
    if (requestId !== this.#requestId) return []
    if (type === TYPE.stdout) return this.#text.feed(content)
    if (type === TYPE.stderr) return content.length === 0 ? [] : [{ kind: 'errors', text: content.toString('utf8') }]
    if (type !== TYPE.endRequest) return this.#end(`a record of type ${type}, which no response has`)
    if (content.length !== 8) return this.#end(`an END_REQUEST of ${content.length} bytes`)
    const protocolStatus = content.readUInt8(4)
    return this.#end(protocolStatus === 0 ? this.#text.problemAtEnd() : `protocolStatus ${protocolStatus}`)
  }

  #end(problem: string | undefined): readonly ResponseEvent[] {
    if (this.#ended) return []
    this.#ended = true
    return [{ kind: 'end', problem }]
  }
}

/** Reads the response to one request; records of other ids are passed over. @param bodiless the request was HEAD */
export const createFastcgiResponseParser = (bodiless = false, requestId = 1): ResponseParser =>
  new FastcgiResponseParser(requestId, bodiless)
