/** How the conformance cases reach tsgi: a protocol over a transport. A further protocol is a further row. */

import { CLIENTS } from '../../src/client/clients.ts'
import type { GatewayRequest, ResponseParser } from '../../src/client/request.ts'

export interface Row {
  readonly name: string
  readonly protocol: keyof typeof CLIENTS
  readonly transport: 'unix' | 'tcp'
  readonly encodeRequest: (request: GatewayRequest) => Buffer[]
  readonly createResponseParser: (bodiless: boolean) => ResponseParser
  /**
   * How a front server can see that a response without Content-Length broke off: the connection is reset, the protocol says
   * so, or not at all (a Unix socket has no reset, and closing is the end of every uwsgi and SCGI response).
   */
  readonly brokenBodyShowsAs: 'reset' | 'problem' | 'nothing'
  /** CONTENT_LENGTH of a request without a body, as nginx sends it. */
  readonly noLength: '' | '0'
}

export const row = (protocol: Row['protocol'], transport: Row['transport']): Row => ({
  name: `${protocol} over ${transport}`,
  protocol,
  transport,
  ...CLIENTS[protocol],
  brokenBodyShowsAs: protocol === 'fastcgi' ? 'problem' : transport === 'tcp' ? 'reset' : 'nothing',
  noLength: protocol === 'scgi' ? '0' : '',
})

export const ROWS: readonly Row[] = [
  row('uwsgi', 'unix'),
  row('uwsgi', 'tcp'),
  row('fastcgi', 'unix'),
  row('scgi', 'unix'),
]
