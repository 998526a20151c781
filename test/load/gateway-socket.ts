/** Requests straight to a gateway socket, piece by piece, as a front server that does not buffer sends them. */

import {
  encodeBeginRequest,
  encodeFastcgiPairs,
  encodeFastcgiRecord,
  encodeFastcgiStream,
} from '../../src/client/fastcgi.ts'
import { encodeScgiRequest } from '../../src/client/scgi.ts'
import { encodeUwsgiRequest } from '../../src/client/uwsgi.ts'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'

export const PROTOCOLS = ['uwsgi', 'fastcgi', 'scgi'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** The sample site of nginx/ for each. */
export const SITES: Readonly<Record<Protocol, string>> = {
  uwsgi: 'app.conf',
  fastcgi: 'fastcgi.conf',
  scgi: 'scgi.conf',
}

export interface Target {
  readonly method: string
  readonly path: string
  readonly query?: string
  /** Of the body that follows. */
  readonly length: number
}

/** Everything before the body. */
export function encodeHead(protocol: Protocol, { method, path, query = '', length }: Target): Buffer {
  const request = [
    'REQUEST_METHOD',
    method,
    'PATH_INFO',
    path,
    'QUERY_STRING',
    query,
    'REQUEST_URI',
    `${path}?${query}`,
  ]
  const server = ['SERVER_PROTOCOL', 'HTTP/1.1', 'SERVER_NAME', 'localhost', 'SERVER_PORT', '80']
  const params = ['CONTENT_LENGTH', String(length), ...request, ...server]
  switch (protocol) {
    case 'uwsgi':
      return Buffer.concat(encodeUwsgiRequest({ params }))
    case 'scgi':
      return Buffer.concat(encodeScgiRequest({ params }))
    case 'fastcgi': {
      const pairs = encodeFastcgiStream(TYPE.params, 1, encodeFastcgiPairs(params))
      const end = length === 0 ? [encodeBodyEnd(protocol)] : []
      return Buffer.concat([encodeBeginRequest(1, false), pairs, ...end])
    }
  }
}

/** @param piece at most 65,535 bytes */
export const encodePiece = (protocol: Protocol, piece: Uint8Array): Uint8Array =>
  protocol === 'fastcgi' ? encodeFastcgiRecord(TYPE.stdin, 1, piece) : piece

export const encodeBodyEnd = (protocol: Protocol): Buffer =>
  protocol === 'fastcgi' ? encodeFastcgiRecord(TYPE.stdin, 1, new Uint8Array(0)) : Buffer.alloc(0)
