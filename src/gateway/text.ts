/**
 * Byte strings and text. Every variable of an environ is a string of bytes (PEP 3333, "Unicode Issues"): lossless, so
 * that access rules and caches see what was sent. These functions go between such strings and text.
 */

import type { ByteString, Environ } from '../application.ts'
import { pathOfTarget } from './path.ts'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

const ASCII = /^[\x00-\x7f]*$/
const BYTES = /^[\x00-\xff]*$/

/** What these bytes say in UTF-8; malformed ones become U+FFFD, so the result is for reading, not for comparing. */
export function text(value: ByteString): string {
  return ASCII.test(value) ? value : Buffer.from(checked(value), 'latin1').toString('utf8')
}

/** What these bytes say in UTF-8, or null where they are no UTF-8. */
export function strictText(value: ByteString): string | null {
  if (ASCII.test(value)) return value
  // A code unit above 0xFF is no byte: somebody put text there. Encoding it would cut it down to another character.
  if (!BYTES.test(value)) return null
  try {
    return strict.decode(Buffer.from(value, 'latin1'))
  } catch {
    // The only thing that decoding a whole buffer strictly can throw: these bytes are no UTF-8.
    return null
  }
}

/** The UTF-8 bytes of a text, as a string that can be put into an environ or a header. */
export function byteString(value: string): ByteString {
  return ASCII.test(value) ? value : Buffer.from(encoder.encode(value)).toString('latin1')
}

/** PATH_INFO as text. Null where it is no UTF-8: answer 400. */
export function pathText(environ: Pick<Environ, 'PATH_INFO'>): string | null {
  return strictText(environ.PATH_INFO)
}

/**
 * The path as the client wrote it, percent-encoded: `%2F` and `//` still tell apart what PATH_INFO no longer does. It
 * begins at the root of the site, SCRIPT_NAME included, and knows nothing of rewrites in the front server. Where
 * REQUEST_URI was not sent it is rebuilt from SCRIPT_NAME and PATH_INFO.
 */
export function rawPath(
  environ: Pick<Environ, 'SCRIPT_NAME' | 'PATH_INFO'> & { readonly REQUEST_URI?: ByteString | undefined },
): ByteString {
  const uri = environ.REQUEST_URI
  if (uri === undefined || uri === '') return quotePath(environ.SCRIPT_NAME + environ.PATH_INFO)
  return pathOfTarget(uri)
}

/** Of `GET http://host?x=1` nginx passes on `?x=1`: an empty path is `/` (RFC 9112 section 3.2.1). */
export function originForm(target: ByteString | undefined): ByteString | undefined {
  return target?.charCodeAt(0) === 0x3f ? `/${target}` : target
}

/**
 * What may have stood in the request line, where the front server does not say.
 * @param path SCRIPT_NAME and PATH_INFO
 */
export function rebuiltTarget(path: ByteString, query: ByteString): ByteString {
  const quoted = quotePath(path) || '/'
  return query === '' ? quoted : `${quoted}?${query}`
}

/** Percent-encodes the bytes of a path. encodeURI would encode each byte as a character of its own, twice as long. */
export function quotePath(path: ByteString): string {
  return checked(path).replace(/[^A-Za-z0-9\-._~/!$&'()*+,;=:@]/g, percent)
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** The bytes themselves, or the UTF-8 of what turned out to be text. */
function checked(value: string): ByteString {
  return BYTES.test(value) ? value : byteString(value)
}
