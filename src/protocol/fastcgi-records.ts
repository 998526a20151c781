/**
 * The records of FastCGI 1.0 (specification sections 3.3, 3.4 and 8): numbers, names, name-value pairs, and the records
 * that tsgi answers with.
 *
 *   record  version u8 | type u8 | requestId u16be | contentLength u16be | paddingLength u8 | reserved u8 | content | padding
 *   pair    nameLength | valueLength | name | value     a length: u8 below 128, else u32be with the top bit set
 */

import { TsgiError } from '../errors.ts'
import type { NameMemory } from './name-memory.ts'

export const VERSION = 1
export const HEADER_BYTES = 8
export const MAX_CONTENT_BYTES = 65_535
/** Record type numbers (section 8). */
export const TYPE = {
  beginRequest: 1,
  abortRequest: 2,
  endRequest: 3,
  params: 4,
  stdin: 5,
  stdout: 6,
  stderr: 7,
  data: 8,
  getValues: 9,
  getValuesResult: 10,
  unknownType: 11,
} as const
export const ROLE_RESPONDER = 1
/** FCGI_KEEP_CONN in the flags of FCGI_BEGIN_REQUEST. */
export const FLAG_KEEP_CONNECTION = 1
/** protocolStatus of FCGI_END_REQUEST (section 5.5). */
export const PROTOCOL_STATUS = { requestComplete: 0, cannotMultiplex: 1, overloaded: 2, unknownRole: 3 } as const

const TYPE_NAMES: readonly string[] = [
  'type 0',
  'BEGIN_REQUEST',
  'ABORT_REQUEST',
  'END_REQUEST',
  'PARAMS',
  'STDIN',
  'STDOUT',
  'STDERR',
  'DATA',
  'GET_VALUES',
  'GET_VALUES_RESULT',
  'UNKNOWN_TYPE',
]

/** `STDIN`, or `type 77`: for messages. */
export const typeName = (type: number): string => TYPE_NAMES[type] ?? `type ${type}`

/** Zeros after a content of this length that make the record a multiple of 8 (section 3.3 recommends it). */
export const paddingFor = (contentLength: number): number => -contentLength & 7

/** Writes a record header at `at`; the content and the padding are the caller's. */
export function writeHeader(
  out: Uint8Array,
  at: number,
  type: number,
  requestId: number,
  contentLength: number,
  paddingLength: number,
): void {
  out[at] = VERSION
  out[at + 1] = type
  out[at + 2] = requestId >>> 8
  out[at + 3] = requestId & 0xff
  out[at + 4] = contentLength >>> 8
  out[at + 5] = contentLength & 0xff
  out[at + 6] = paddingLength
  out[at + 7] = 0
}

/** FCGI_END_REQUEST with its header. */
export const END_REQUEST_BYTES = HEADER_BYTES + 8

/** FCGI_END_REQUEST, appStatus 0: END_REQUEST_BYTES of them. */
export function writeEndRequest(out: Uint8Array, at: number, requestId: number, protocolStatus: number): void {
  writeHeader(out, at, TYPE.endRequest, requestId, END_REQUEST_BYTES - HEADER_BYTES, 0)
  for (let index = at + HEADER_BYTES; index < at + END_REQUEST_BYTES; index += 1) out[index] = 0
  out[at + HEADER_BYTES + 4] = protocolStatus
}

export function endRequestRecord(requestId: number, protocolStatus: number): Uint8Array {
  const record = new Uint8Array(END_REQUEST_BYTES)
  writeEndRequest(record, 0, requestId, protocolStatus)
  return record
}

/**
 * A whole stream of name-value pairs, which is `block[start, end)`, as name, value, name, value, ... The error is returned, not
 * thrown: the records around the pairs are sound, and the request can still be answered.
 */
export function parsePairs(
  block: Buffer,
  start: number,
  end: number,
  maxPairs: number,
  names: NameMemory,
): string[] | TsgiError {
  // One string and substrings of it: a third of the cost of a string per name and value.
  const text = block.toString('latin1', start, end)
  const pairs: string[] = []
  let place = 0
  let at = start
  while (at < end) {
    if (place === maxPairs) {
      return new TsgiError('TSGI_PROTOCOL_TOO_LARGE', `FastCGI: more than ${maxPairs} variables`)
    }
    const pairAt = at
    let nameLength = block[at] ?? 0
    if (nameLength < 0x80) at += 1
    else {
      nameLength = longLengthAt(block, at, end)
      at += 4
    }
    let valueLength = at < end ? (block[at] ?? 0) : LACKING
    if (valueLength < 0x80) at += 1
    else if (valueLength !== LACKING) {
      valueLength = longLengthAt(block, at, end)
      at += 4
    }
    // Sums of two 31-bit lengths: exact in a double, where 32-bit integers would wrap (CVE-2025-23016 in libfcgi).
    const valueAt = at + nameLength
    const valueEnd = valueAt + valueLength
    if (valueEnd > end) return pairBeyondEnd(pairAt - start, nameLength, valueLength, end - at)
    if (nameLength === 0) {
      return new TsgiError(
        'TSGI_PROTOCOL_BAD_REQUEST',
        `FastCGI: a variable without a name at byte ${pairAt - start} of PARAMS`,
      )
    }
    pairs[2 * place] = names.read(place, block, at, valueAt, text, at - start)
    pairs[2 * place + 1] = text.substring(valueAt - start, valueEnd - start)
    place += 1
    at = valueEnd
  }
  return pairs
}

/** Stands for a length that is cut off: more than any 31-bit length, so the sum is past every end. */
const LACKING = 2 ** 32

function longLengthAt(block: Buffer, at: number, end: number): number {
  return at + 4 > end ? LACKING : block.readUInt32BE(at) & 0x7f_ff_ff_ff
}

function pairBeyondEnd(at: number, nameLength: number, valueLength: number, left: number): TsgiError {
  const lacking = nameLength >= LACKING || valueLength >= LACKING
  const what = lacking ? 'is cut off inside its lengths' : `says ${nameLength} + ${valueLength} bytes, ${left} are left`
  return new TsgiError('TSGI_PROTOCOL_BAD_REQUEST', `FastCGI: the variable at byte ${at} of PARAMS ${what}`)
}
