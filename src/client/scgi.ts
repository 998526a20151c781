/** The front server's side of SCGI (python.ca/scgi, protocol.txt). */

import { CloseDelimitedParser } from './close-delimited.ts'
import { type GatewayRequest, type ResponseParser, withContentLength } from './request.ts'

/** Params are byte strings without NUL. SCGI=1 comes second, as the specification shows it, unless the params have it. */
export function encodeScgiRequest(request: GatewayRequest): Buffer[] {
  const params = withContentLength(request)
  const versioned = params.some((name, index) => index % 2 === 0 && name === 'SCGI')
  const all = versioned ? params : [...params.slice(0, 2), 'SCGI', '1', ...params.slice(2)]
  const block = all.map((text) => `${text}\0`).join('')
  const head = Buffer.from(`${block.length}:${block},`, 'latin1')
  return request.body === undefined ? [head] : [head, Buffer.from(request.body)]
}

/** @param bodiless the request was HEAD */
export const createScgiResponseParser = (bodiless = false): ResponseParser => new CloseDelimitedParser('cgi', bodiless)
