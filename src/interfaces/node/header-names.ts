/** Names and values of response headers, checked as http.OutgoingMessage checks them. */

import http from 'node:http'
import { isHopByHop } from '../../gateway/hop-by-hop.ts'
import { ownText } from '../../own-text.ts'

export interface OutgoingName {
  readonly lower: string
  readonly kind: 'plain' | 'content-length' | 'cookie' | 'transfer-encoding' | 'hop-by-hop'
}

/** Applications send the same few names for ever: what passed once is not matched and lowered again. Bounded. */
const MAX_REMEMBERED = 512
const remembered = new Map<string, OutgoingName>()

/** Undefined where the name has not been met before. */
export function knownName(field: unknown): OutgoingName | undefined {
  // With anything but a string nothing is found.
  return remembered.get(field as string)
}

/** @throws TypeError ERR_INVALID_HTTP_TOKEN */
export function checkName(field: string): OutgoingName {
  const known = remembered.get(field)
  if (known !== undefined) return known
  http.validateHeaderName(field)
  const lower = ownText(field.toLowerCase())
  const name = { lower, kind: kindOf(lower) }
  if (remembered.size < MAX_REMEMBERED) remembered.set(ownText(field), name)
  return name
}

function kindOf(lower: string): OutgoingName['kind'] {
  if (lower === 'content-length' || lower === 'cookie' || lower === 'transfer-encoding') return lower
  return isHopByHop(lower) ? 'hop-by-hop' : 'plain'
}

/** Whether `validateHeaderValue` would take it: a loop over a few letters costs less than the call of a regular expression. */
export function isSendable(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false
  }
  return true
}
