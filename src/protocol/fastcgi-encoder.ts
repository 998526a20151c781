/** A response as FastCGI records: `Status:` head and body in STDOUT, an empty STDOUT record, END_REQUEST (sections 5.3, 5.5). */

import type { HeaderList } from '../application.ts'
import type { Encoder } from './codec.ts'
import {
  END_REQUEST_BYTES,
  HEADER_BYTES,
  MAX_CONTENT_BYTES,
  PROTOCOL_STATUS,
  paddingFor,
  TYPE,
  writeEndRequest,
  writeHeader,
} from './fastcgi-records.ts'
import { headLength, writeHead } from './response-head.ts'

/** Taken once: the global `Buffer` is an accessor. */
const { allocUnsafe } = Buffer

const STATUS = 'Status: '
/** The empty STDOUT record and END_REQUEST. */
const END_BYTES = HEADER_BYTES + END_REQUEST_BYTES
/** The largest content that is a multiple of 8: only the last record of a long body has padding. */
const FULL_CONTENT_BYTES = MAX_CONTENT_BYTES - 7
/** Up to here one copy into one buffer is cheaper than three pieces to write. */
const COPIED_CHUNK_BYTES = 16_384

/** Version 0: nginx gives the request up on it, on TCP and on Unix sockets, where a plain close would look like the end. */
const ABORT = new Uint8Array(HEADER_BYTES)

/** Front servers use one id, 1, unless they multiplex. Never written to. */
const END_OF_1 = endOf(1)

function endOf(requestId: number): Uint8Array {
  const bytes = new Uint8Array(END_BYTES)
  writeEnd(bytes, 0, requestId)
  return bytes
}

function writeEnd(out: Uint8Array, at: number, requestId: number): void {
  writeHeader(out, at, TYPE.stdout, requestId, 0, 0)
  writeEndRequest(out, at + HEADER_BYTES, requestId, PROTOCOL_STATUS.requestComplete)
}

/** Bytes that `writeStream` will write for a content: nothing for an empty one, whose record would mean the end. */
function streamBytes(contentLength: number): number {
  const records = Math.ceil(contentLength / FULL_CONTENT_BYTES)
  return records * HEADER_BYTES + contentLength + paddingFor(contentLength)
}

/** @returns the offset behind the last record */
function writeStream(out: Uint8Array, start: number, type: number, requestId: number, bytes: Uint8Array): number {
  let at = start
  for (let from = 0; from < bytes.length; from += FULL_CONTENT_BYTES) {
    const content = bytes.subarray(from, from + FULL_CONTENT_BYTES)
    const padding = paddingFor(content.length)
    writeHeader(out, at, type, requestId, content.length, padding)
    out.set(content, at + HEADER_BYTES)
    at += HEADER_BYTES + content.length
    for (const end = at + padding; at < end; at += 1) out[at] = 0
  }
  return at
}

function streamRecords(type: number, requestId: number, bytes: Uint8Array): Uint8Array {
  const out = allocUnsafe(streamBytes(bytes.length))
  writeStream(out, 0, type, requestId, bytes)
  return out
}

function start(
  requestId: number,
  status: string,
  headers: HeaderList,
  chunk: Uint8Array | undefined,
  last: boolean,
): Uint8Array {
  const length = headLength(STATUS, status, headers)
  const contentLength = length + (chunk === undefined ? 0 : chunk.length)
  const endLength = last ? END_BYTES : 0
  let at: number
  let out: Buffer
  if (contentLength <= FULL_CONTENT_BYTES) {
    // Nearly every response: one record for the head and what there is of the body.
    const padding = paddingFor(contentLength)
    out = allocUnsafe(HEADER_BYTES + contentLength + padding + endLength)
    writeHeader(out, 0, TYPE.stdout, requestId, contentLength, padding)
    at = writeHead(out, HEADER_BYTES, STATUS, status, headers)
    if (chunk !== undefined) out.set(chunk, at)
    at = HEADER_BYTES + contentLength
    for (const end = at + padding; at < end; at += 1) out[at] = 0
  } else {
    const body = chunk ?? new Uint8Array(0)
    const head = allocUnsafe(length)
    writeHead(head, 0, STATUS, status, headers)
    out = allocUnsafe(streamBytes(length) + streamBytes(body.length) + endLength)
    at = writeStream(out, 0, TYPE.stdout, requestId, head)
    at = writeStream(out, at, TYPE.stdout, requestId, body)
  }
  if (last) writeEnd(out, at, requestId)
  return out
}

function chunk(requestId: number, bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length <= COPIED_CHUNK_BYTES) return [streamRecords(TYPE.stdout, requestId, bytes)]
  const pieces: Uint8Array[] = []
  for (let from = 0; from < bytes.length; from += FULL_CONTENT_BYTES) {
    const content = bytes.subarray(from, from + FULL_CONTENT_BYTES)
    const padding = paddingFor(content.length)
    const header = new Uint8Array(HEADER_BYTES)
    writeHeader(header, 0, TYPE.stdout, requestId, content.length, padding)
    pieces.push(header, content)
    if (padding > 0) pieces.push(new Uint8Array(padding))
  }
  return pieces
}

export const fastcgiEncoder: Encoder = {
  start,
  chunk,
  end: (requestId) => (requestId === 1 ? END_OF_1 : endOf(requestId)),
  abort: () => ABORT,
  errors: (requestId, text) => (text === '' ? [] : [streamRecords(TYPE.stderr, requestId, Buffer.from(text, 'utf8'))]),
}
