/** CONTENT_LENGTH as the gateway protocols carry it: the one variable that framing depends on. */

import { describe, TsgiError } from '../errors.ts'
import type { Params } from './codec.ts'

/**
 * What CONTENT_LENGTH announces; undefined where it is absent or empty (RFC 3875 section 4.1.2: no body; in FastCGI, where
 * the stream itself ends, also: a body of unknown length). Returned, not thrown: the request can still be answered.
 * Digits only, and once: `3, 5`, `+5`, or two of them mean that somebody disagrees about where the body ends.
 */
export function announcedLengthOf(params: Params): number | undefined | TsgiError {
  let found: string | undefined
  for (let index = 0; index < params.length; index += 2) {
    if (params[index] !== 'CONTENT_LENGTH') continue
    if (found !== undefined) return new TsgiError('TSGI_PROTOCOL_BAD_REQUEST', 'CONTENT_LENGTH was sent twice')
    found = params[index + 1]
  }
  if (found === undefined || found === '') return undefined
  const length = parseLength(found)
  if (length !== undefined) return length
  return new TsgiError('TSGI_PROTOCOL_BAD_REQUEST', `CONTENT_LENGTH is no count of bytes: ${describe(found)}`)
}

/**
 * Caddy 2.6 announces "-1" over FastCGI where the client did not announce a length. Says it as the other front servers do:
 * with an empty value.
 * @returns whether that was so, and nothing else wrong
 */
export function forgetMinusOne(params: string[]): boolean {
  const at = params.findIndex(
    (text, index) => index % 2 === 1 && text === '-1' && params[index - 1] === 'CONTENT_LENGTH',
  )
  if (at === -1) return false
  params[at] = ''
  return announcedLengthOf(params) === undefined
}

/** The length of the body where nothing else ends it (uwsgi, SCGI): absent or empty is 0. */
export function contentLengthOf(params: Params): number | TsgiError {
  return announcedLengthOf(params) ?? 0
}

/** Digits to a safe integer; undefined for anything else. */
export function parseLength(text: string): number | undefined {
  if (text.length === 0 || text.length > 16) return undefined
  let length = 0
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30
    if (digit < 0 || digit > 9) return undefined
    length = length * 10 + digit
  }
  return Number.isSafeInteger(length) ? length : undefined
}
