/** The handshake of a WebSocket (RFC 6455 section 4.2), and its end: what the client asks for, and what an application may answer. */

import type { Environ, HeaderList } from '../../application.ts'
import { describe, TsgiError } from '../../errors.ts'
import { TOKEN } from '../../gateway/grammar.ts'
import { checkHead } from '../../gateway/head-checks.ts'
import { isHopByHop } from '../../gateway/hop-by-hop.ts'

/** Null: the handshake is a WebSocket one of RFC 6455; else why it is not. Checked while an HTTP answer is possible. */
export function handshakeFault(environ: Environ): string | null {
  if (environ.REQUEST_METHOD !== 'GET') return 'a WebSocket handshake is a GET\n'
  if (!/^[+/0-9A-Za-z]{22}==$/.test(environ['HTTP_SEC_WEBSOCKET_KEY'] ?? ''))
    return 'Sec-WebSocket-Key is missing or wrong\n'
  const version = environ['HTTP_SEC_WEBSOCKET_VERSION']
  return version === '13' || version === '8' ? null : 'Sec-WebSocket-Version must be 13\n'
}

/** What the client offers to speak, in its order of preference. */
export function subprotocolsOf(environ: Environ): string[] {
  const offered = environ['HTTP_SEC_WEBSOCKET_PROTOCOL'] ?? ''
  return offered
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

export interface Acceptance {
  readonly subprotocol: string | undefined
  readonly headers: HeaderList
}

/**
 * What an application says in its `websocket.accept`: it goes into the 101 as it is, past startResponse and its checks.
 * @param offered the subprotocols of the client, which fails the connection at any other (RFC 6455 section 4.1)
 * @throws TypeError | TsgiError TSGI_APP_BAD_HEADER
 */
export function checkAcceptance(subprotocol: unknown, headers: unknown, offered: readonly string[]): Acceptance {
  if (subprotocol !== undefined && (typeof subprotocol !== 'string' || !TOKEN.test(subprotocol))) {
    throw new TypeError(`the subprotocol must be a token, not ${describe(subprotocol)}`)
  }
  if (subprotocol !== undefined && !offered.includes(subprotocol)) {
    throw new TypeError(`the client did not offer the subprotocol ${describe(subprotocol)}`)
  }
  return { subprotocol, headers: checkHeaders(headers) }
}

function checkHeaders(headers: unknown): HeaderList {
  const own = Array.isArray(headers) ? headers.filter((entry) => !belongsToGateway(entry)) : headers
  const { headers: checked } = checkHead('200 OK', own)
  for (const [name] of checked) {
    // RFC 9110 section 8.6, and RFC 6455 section 4.2.2: a second one of these, and clients leave.
    if (/^(?:content-length|sec-websocket-.*)$/i.test(name)) {
      throw new TsgiError('TSGI_APP_BAD_HEADER', `${describe(name)} is no header for an application's websocket.accept`)
    }
  }
  return checked
}

/** Left out, as from the head of a response: frameworks send them. */
function belongsToGateway(entry: unknown): boolean {
  return Array.isArray(entry) && typeof entry[0] === 'string' && isHopByHop(entry[0])
}

/** What a close frame has room for beside the code (RFC 6455 section 5.5). */
const MAX_REASON_BYTES = 123

/**
 * What an application says in its `websocket.close`. Looked at when it is said: the frame may have to wait for the handshake.
 * @throws TypeError | RangeError
 */
export function checkClosing(code: unknown, reason: unknown): [code: number, reason: string] {
  if (typeof code !== 'number' || !isCloseCode(code)) {
    throw new TypeError(`the code of a websocket.close must be 1000 to 1014 or 3000 to 4999, not ${describe(code)}`)
  }
  if (typeof reason !== 'string') throw new TypeError(`the reason must be a string, not ${describe(reason)}`)
  if (Buffer.byteLength(reason) > MAX_REASON_BYTES) {
    throw new RangeError(`the reason has ${Buffer.byteLength(reason)} bytes; a close frame takes ${MAX_REASON_BYTES}`)
  }
  return [code, reason]
}

/** RFC 6455 section 7.4: 1004 is reserved, 1005 and 1006 stand for a frame that never came. */
function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false
  return (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) || (code >= 3000 && code <= 4999)
}
