/** The head of a response as text, every code unit a byte. Names and values were checked before they come here. */

import type { HeaderList } from '../application.ts'

/** Taken once: the global `Buffer` is an accessor. */
const { allocUnsafe } = Buffer

/**
 * @param statusLine `HTTP/1.1 200 OK` for uwsgi (mod_proxy_uwsgi wants nothing else), `Status: 200 OK` for FastCGI and
 *   SCGI (RFC 3875 section 6.3.3)
 */
export function responseHead(statusLine: string, headers: HeaderList): string {
  let head = `${statusLine}\r\n`
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`
  return `${head}\r\n`
}

/** One buffer for the head and the first chunk: one write, one packet. */
export function joinHead(head: string, chunk: Uint8Array | undefined): Uint8Array {
  const bytes = allocUnsafe(head.length + (chunk === undefined ? 0 : chunk.length))
  bytes.write(head, 0, 'latin1')
  if (chunk !== undefined) bytes.set(chunk, head.length)
  return bytes
}
