/** What is said of connections, and of request bodies, that end before they should. */

import { TsgiError } from '../errors.ts'

export const clientLeft = (): TsgiError => new TsgiError('TSGI_CLIENT_DISCONNECTED', 'the client closed the connection')

export const truncated = (name: string): TsgiError =>
  new TsgiError('TSGI_PROTOCOL_TRUNCATED', `${name}: the connection ended in the middle of a request head`)

export const silent = (name: string, midRequest: boolean, limitMs: number): TsgiError =>
  new TsgiError(
    'TSGI_PROTOCOL_TRUNCATED',
    `${name}: ${midRequest ? 'an incomplete request head' : 'nothing'} came within ${limitMs} ms (--read-timeout)`,
  )

export const BODY_CUT = 'the connection ended before the request body did'

export const bodyStalled = (limitMs: number): string => `the request body stalled for ${limitMs} ms (--read-timeout)`
