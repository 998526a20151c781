/** Headers that no application may send: the connection is the front server's (RFC 9110 section 7.6.1). */

import type { HeaderList } from '../application.ts'

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
  // How CGI writes the status line.
  'status',
])

/**
 * Refused by startResponse. Adapters drop them without a word, since frameworks set them: on a connection of its own node:http
 * would have used them up as well.
 */
export function isHopByHop(name: string): boolean {
  switch (name.length) {
    case 2:
    case 6:
    case 7:
    case 8:
    case 10:
    case 16:
    case 17:
    case 18:
    case 19:
      return HOP_BY_HOP.has(name.toLowerCase())
    default:
      return false
  }
}

/** The list without them: the very same one, where none is among them. */
export function withoutHopByHop(headers: HeaderList): HeaderList {
  return headers.some(([name]) => isHopByHop(name)) ? headers.filter(([name]) => !isHopByHop(name)) : headers
}
