/** What is said of connections that end before they should. */

import { TsgiError } from '../errors.ts'

export const clientLeft = (): TsgiError => new TsgiError('TSGI_CLIENT_DISCONNECTED', 'the client closed the connection')

export const truncated = (name: string): TsgiError =>
  new TsgiError('TSGI_PROTOCOL_TRUNCATED', `${name}: the connection ended in the middle of a request head`)

export const silent = (name: string, midRequest: boolean, limitMs: number): TsgiError =>
  new TsgiError(
    'TSGI_PROTOCOL_TRUNCATED',
    `${name}: ${midRequest ? 'an incomplete request head' : 'nothing'} came within ${limitMs} ms (--read-timeout)`,
  )
