/** Management records, which concern no request (FastCGI specification, section 4), and the answers to them. */

import { TsgiError } from '../errors.ts'
import type { DecoderLimits } from './codec.ts'
import { HEADER_BYTES, paddingFor, parsePairs, TYPE, writeHeader } from './fastcgi-records.ts'
import { NameMemory } from './name-memory.ts'

/** A process may usually hold 1024 descriptors. */
const DEFAULT_MAX_CONNECTIONS = 1024

const askedNames = new NameMemory()

/** Section 4.2: the answer to a management record of a type that is not understood. */
export function unknownTypeRecord(type: number): Uint8Array {
  const record = new Uint8Array(16)
  writeHeader(record, 0, TYPE.unknownType, 0, 8, 0)
  record[HEADER_BYTES] = type
  return record
}

/** Names and values are below 128 bytes each. */
function valuesRecord(values: readonly (readonly [name: string, value: string])[]): Uint8Array {
  const content = values
    .map(([name, value]) => `${String.fromCharCode(name.length, value.length)}${name}${value}`)
    .join('')
  const padding = paddingFor(content.length)
  const record = Buffer.alloc(HEADER_BYTES + content.length + padding)
  writeHeader(record, 0, TYPE.getValuesResult, 0, content.length, padding)
  record.write(content, HEADER_BYTES, 'latin1')
  return record
}

/** Section 4.1: what was asked for and is known, in the order of the specification; names that are not known are left out. */
export function valuesAnswer(content: Buffer, limits: DecoderLimits): Uint8Array | TsgiError {
  const { maxParams, maxRequests, maxConnections = DEFAULT_MAX_CONNECTIONS } = limits
  const asked = parsePairs(content, 0, content.length, maxParams, askedNames)
  if (asked instanceof TsgiError) return asked
  const values: (readonly [string, string])[] = [
    ['FCGI_MAX_CONNS', String(maxConnections)],
    ['FCGI_MAX_REQS', String(maxRequests)],
    ['FCGI_MPXS_CONNS', maxRequests > 1 ? '1' : '0'],
  ]
  return valuesRecord(values.filter(([name]) => asked.some((text, index) => index % 2 === 0 && text === name)))
}
