/** A URL, a method, header fields and a body as the variables that a front server would send for them. */

import { TsgiError } from '../errors.ts'
import type { Params } from '../protocol/codec.ts'
import { splitOnce } from '../split-once.ts'

interface HttpTarget {
  readonly scheme: 'http' | 'https'
  /** As written, with its port where it has one: what the Host field says. */
  readonly host: string
  /** Path and query as written; what cannot stand in a request line is percent-encoded. Begins with `/`. */
  readonly requestUri: string
}

export type HeaderField = readonly [name: string, value: string]

/** A request before it has the form of a protocol. Text is turned into UTF-8 bytes here, not by the caller. */
export interface FrontRequest {
  readonly target: HttpTarget
  readonly method: string
  /** Sent besides Host and the defaults; an empty value takes a default away. */
  readonly headers: readonly HeaderField[]
  /** Variables to set; they take the place of what would be sent under the same name. */
  readonly params: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer | undefined
}

/** @throws TsgiError TSGI_USAGE */
export function parseTarget(url: string): HttpTarget {
  if (url.startsWith('/')) return { scheme: 'http', host: 'localhost', requestUri: encodeTarget(url) }
  const match = /^(https?):\/\/([^/?#\s]+)([^#]*)/i.exec(url)
  if (match === null) {
    throw new TsgiError('TSGI_USAGE', `${JSON.stringify(url)} is no URL; write http://host/path, or /path alone`)
  }
  const [, scheme = '', host = '', rest = ''] = match
  return {
    scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http',
    host,
    requestUri: encodeTarget(rest.startsWith('/') ? rest : `/${rest}`),
  }
}

/** Nothing is normalised: `//`, `/../` and `%2F` are what one wants to see arrive. */
function encodeTarget(text: string): string {
  const path = text.replace(/#.*$/s, '')
  return path.replace(/[^\x21-\x7e]+/gu, (piece) => encodeURIComponent(piece.toWellFormed()))
}

/** What goes out as header fields: the defaults, then those of the request, which replace them. */
export function frontHeaders({ target, headers, body }: FrontRequest): HeaderField[] {
  const defaults: HeaderField[] = [
    ['Host', target.host],
    ['User-Agent', 'tsgi'],
    ['Accept', '*/*'],
    ...(body === undefined ? [] : [['Content-Type', 'application/x-www-form-urlencoded'] as const]),
  ]
  const given = new Set(headers.map(([name]) => name.toLowerCase()))
  return [
    ...defaults.filter(([name]) => !given.has(name.toLowerCase())),
    ...headers.filter(([, value]) => value !== ''),
  ]
}

/** RFC 3875 section 4.1, with what nginx and Apache add; as byte strings. */
export function frontParams(request: FrontRequest): Params {
  const { target, method, body } = request
  const [path, query] = splitOnce(target.requestUri, '?')
  const { name, port } = splitHost(target)
  const variables = new Map<string, string>([
    ['REQUEST_METHOD', method],
    ['REQUEST_URI', target.requestUri],
    ['PATH_INFO', unquote(path)],
    ['QUERY_STRING', query],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['CONTENT_TYPE', ''],
    ['CONTENT_LENGTH', body === undefined ? '' : String(body.length)],
    ['REQUEST_SCHEME', target.scheme],
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['SERVER_SOFTWARE', 'tsgi'],
    ['SERVER_NAME', name],
    ['SERVER_PORT', port],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['REMOTE_PORT', '0'],
  ])
  if (target.scheme === 'https') variables.set('HTTPS', 'on')
  for (const [field, value] of frontHeaders(request)) addHeader(variables, field, bytes(value))

  const replaced = new Set(request.params.map(([variable]) => variable))
  const kept = [...variables].filter(([variable]) => !replaced.has(variable))
  return [...kept, ...request.params.map(([variable, value]) => [variable, bytes(value)])].flat()
}

function addHeader(variables: Map<string, string>, field: string, value: string): void {
  const name = field.toUpperCase().replaceAll('-', '_')
  const variable = name === 'CONTENT_TYPE' || name === 'CONTENT_LENGTH' ? name : `HTTP_${name}`
  const earlier = variables.get(variable)
  const joined = earlier === undefined || earlier === '' || !variable.startsWith('HTTP_')
  // RFC 9110 section 5.3; Cookie: RFC 6265 section 5.4.
  variables.set(variable, joined ? value : `${earlier}${name === 'COOKIE' ? '; ' : ', '}${value}`)
}

function splitHost({ scheme, host }: HttpTarget): { name: string; port: string } {
  const match = /^(?:[^@]*@)?(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(host)
  return { name: match?.[1] ?? host, port: match?.[2] ?? (scheme === 'https' ? '443' : '80') }
}

/** Percent-decoded, as bytes: `%C3%A9` becomes two of them. */
function unquote(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** The UTF-8 of a text, as a byte string. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
