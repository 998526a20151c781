/** What is said of connections, and of request bodies, that end before they should. */

import { TsgiError } from '../errors.ts'
import type { Decoder, Protocol } from '../protocol/codec.ts'

export const clientLeft = (): TsgiError => new TsgiError('TSGI_CLIENT_DISCONNECTED', 'the client closed the connection')

/** @param protocol undefined where the first bytes have not told it */
export const truncated = (protocol: Protocol | undefined): TsgiError =>
  new TsgiError('TSGI_PROTOCOL_TRUNCATED', `${nameOf(protocol)}: the connection ended in the middle of a request head`)

/** @param decoder undefined where the first bytes have not told the protocol */
export const silent = (protocol: Protocol | undefined, decoder: Decoder | undefined, limitMs: number): TsgiError =>
  new TsgiError(
    'TSGI_PROTOCOL_TRUNCATED',
    `${nameOf(protocol)}: ${whatCame(decoder)} came within ${limitMs} ms (--read-timeout)`,
  )

const nameOf = (protocol: Protocol | undefined): string => protocol?.name ?? 'a connection'

function whatCame(decoder: Decoder | undefined): string {
  if (decoder?.midRequest === false) return 'nothing'
  return decoder?.owing === false ? 'an incomplete request body' : 'an incomplete request head'
}

export const BODY_CUT = 'the connection ended before the request body did'

export const bodyStalled = (limitMs: number): string => `the request body stalled for ${limitMs} ms (--read-timeout)`
