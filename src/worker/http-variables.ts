/** A request of node:http -> the variables that a front server would send for it (RFC 3875 section 4.1). */

import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { percentDecoded } from '../gateway/path.ts'
import { headerVariable, isUnambiguous } from '../gateway/variable-names.ts'
import type { Endpoint } from '../protocol/proxy-header.ts'
import { splitOnce } from '../split-once.ts'

/** RFC 9112 section 3.2.2: what a client sends to a proxy; the host in it counts, not the field. */
const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)(.*)$/is
const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/i

/** @param source who connected, as a PROXY protocol header says: stronger than the peer of the socket */
export function variablesOf(request: IncomingMessage, source: Endpoint | undefined): string[] {
  const { socket, method = 'GET', rawHeaders } = request
  const { uri, authority } = splitTarget(request.url ?? '/')
  const [path, query] = splitOnce(uri, '?')
  const host = authority ?? request.headers.host
  const params = ['REQUEST_METHOD', method, 'REQUEST_URI', uri]
  params.push('PATH_INFO', percentDecoded(path))
  params.push('QUERY_STRING', query)
  const encrypted = 'encrypted' in socket
  params.push('SERVER_PROTOCOL', `HTTP/${request.httpVersion}`, 'REQUEST_SCHEME', encrypted ? 'https' : 'http')
  if (encrypted) params.push('HTTPS', 'on')
  params.push('SERVER_NAME', serverName(host))
  const local = socket.address()
  if (isAddressInfo(local)) params.push('SERVER_PORT', String(local.port))
  const address = source?.address ?? socket.remoteAddress
  const port = source?.port ?? socket.remotePort
  // A socket that listens for both families shows an IPv4 peer as ::ffff:192.0.2.1.
  if (address !== undefined) params.push('REMOTE_ADDR', address.replace(MAPPED_IPV4, ''))
  if (port !== undefined) params.push('REMOTE_PORT', String(port))
  if (authority !== undefined) params.push('HTTP_HOST', authority)
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!isUnambiguous(name)) continue
    const variable = headerVariable(name)
    // A body arrives without its chunks' framing.
    if (variable === 'HTTP_TRANSFER_ENCODING' || (variable === 'HTTP_HOST' && authority !== undefined)) continue
    params.push(variable, rawHeaders[index + 1] ?? '')
  }
  return params
}

function splitTarget(url: string): { readonly uri: string; readonly authority: string | undefined } {
  const [, authority, rest = ''] = ABSOLUTE_FORM.exec(url) ?? []
  if (authority === undefined) return { uri: url, authority }
  return { uri: rest.startsWith('/') ? rest : `/${rest}`, authority }
}

const serverName = (host: string | undefined): string => host?.replace(/:\d*$/, '') || 'localhost'

const isAddressInfo = (address: object): address is AddressInfo => 'port' in address
