/** The front server's side of the uwsgi protocol (uwsgi-docs, Protocol.rst). */

import { TsgiError } from '../errors.ts'
import { CloseDelimitedParser } from './close-delimited.ts'
import { type GatewayRequest, type ResponseParser, withContentLength } from './request.ts'

const MAX_BYTES = 0xffff

function sized(text: string): Buffer {
  if (text.length > MAX_BYTES) throw tooLarge(`${text.length} bytes in one name or value`)
  const bytes = Buffer.alloc(2 + text.length)
  bytes.writeUInt16LE(text.length, 0)
  bytes.write(text, 2, 'latin1')
  return bytes
}

const tooLarge = (what: string): TsgiError =>
  new TsgiError('TSGI_PROTOCOL_TOO_LARGE', `uwsgi: ${what}, the format has room for ${MAX_BYTES}`)

/**
 * Params are byte strings.
 * @param modifier1 0: a request
 * @throws TsgiError TSGI_PROTOCOL_TOO_LARGE: the variables take more than 65535 bytes
 */
export function encodeUwsgiRequest(request: GatewayRequest, modifier1 = 0, modifier2 = 0): Buffer[] {
  const block = Buffer.concat(withContentLength(request).map(sized))
  if (block.length > MAX_BYTES) throw tooLarge(`${block.length} bytes of variables`)
  const header = Buffer.from([modifier1, 0, 0, modifier2])
  header.writeUInt16LE(block.length, 1)
  const packet = Buffer.concat([header, block])
  return request.body === undefined ? [packet] : [packet, Buffer.from(request.body)]
}

/** @param bodiless the request was HEAD */
export const createUwsgiResponseParser = (bodiless = false): ResponseParser =>
  new CloseDelimitedParser('http', bodiless)
