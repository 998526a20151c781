/** The head of a response as bytes: one for each code unit. Names and values were checked before they come here. */

import type { HeaderList } from '../application.ts'

/** Taken once: the global `Buffer` is an accessor. */
const { allocUnsafe } = Buffer

const CR = 0x0d
const LF = 0x0a
const COLON = 0x3a
const SPACE = 0x20
/** `: ` and the line's end. */
const HEADER_OVERHEAD = 4

/** Up to here a loop is faster than the way into C++, which also has to put together a string that was concatenated. */
const SHORT = 128

/**
 * @param prefix of the status: `HTTP/1.1 ` for uwsgi (mod_proxy_uwsgi wants nothing else), `Status: ` for FastCGI and SCGI
 *   (RFC 3875 section 6.3.3)
 * @returns bytes that `writeHead` will write
 */
export function headLength(prefix: string, status: string, headers: HeaderList): number {
  let length = prefix.length + status.length + 4
  for (const [name, value] of headers) length += name.length + value.length + HEADER_OVERHEAD
  return length
}

/** @returns the offset behind the empty line */
export function writeHead(out: Buffer, start: number, prefix: string, status: string, headers: HeaderList): number {
  let at = writeText(out, start, prefix)
  at = writeText(out, at, status)
  at = writeLineEnd(out, at)
  for (const [name, value] of headers) {
    at = writeText(out, at, name)
    out[at++] = COLON
    out[at++] = SPACE
    at = writeText(out, at, value)
    at = writeLineEnd(out, at)
  }
  return writeLineEnd(out, at)
}

function writeText(out: Buffer, at: number, text: string): number {
  const { length } = text
  if (length > SHORT) out.write(text, at, 'latin1')
  else for (let index = 0; index < length; index++) out[at + index] = text.charCodeAt(index)
  return at + length
}

function writeLineEnd(out: Buffer, at: number): number {
  out[at] = CR
  out[at + 1] = LF
  return at + 2
}

/** One buffer for the head and the first chunk: one write, one packet. */
export function encodeHead(
  prefix: string,
  status: string,
  headers: HeaderList,
  chunk: Uint8Array | undefined,
): Uint8Array {
  const bytes = allocUnsafe(headLength(prefix, status, headers) + (chunk === undefined ? 0 : chunk.length))
  const end = writeHead(bytes, 0, prefix, status, headers)
  if (chunk !== undefined) bytes.set(chunk, end)
  return bytes
}
