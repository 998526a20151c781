/** Request headers out of an environ, and back: RFC 3875 section 4.1.18. The one place that knows how names are spelt. */

import type { ByteString, Environ } from '../application.ts'
import { quotePath } from '../gateway/text.ts'

export interface HeaderName {
  /** `user-agent` */
  readonly lower: string
  /** `User-Agent`: what most clients send; the real spelling is lost on the way through a gateway protocol. */
  readonly title: string
}

/** Browsers and proxies send the same few dozen names for ever; a client that makes names up must not fill the memory. */
const MAX_REMEMBERED = 1024
const remembered = new Map<string, HeaderName | undefined>()

/** The header that an environ key stands for; undefined for every other variable. */
export function headerName(key: string): HeaderName | undefined {
  const known = remembered.get(key)
  if (known !== undefined) return known
  if (remembered.has(key)) return undefined
  const name = spell(key)
  if (remembered.size < MAX_REMEMBERED) remembered.set(key, name)
  return name
}

function spell(key: string): HeaderName | undefined {
  const variable = key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH' ? `HTTP_${key}` : key
  if (!variable.startsWith('HTTP_') || variable.length === 5) return undefined
  const lower = variable.slice(5).toLowerCase().replaceAll('_', '-')
  return { lower, title: lower.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase()) }
}

/** The environ key of a header: `CONTENT_TYPE`, `CONTENT_LENGTH`, else `HTTP_` and the name. */
export function headerVariable(name: string): string {
  const key = name.toUpperCase().replaceAll('-', '_')
  return key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH' ? key : `HTTP_${key}`
}

/** Calls `visit` for each header in the order of the environ. */
export function eachHeader(environ: Environ, visit: (name: HeaderName, value: ByteString) => void): void {
  // nginx sends a chunked request on with its length and still names the coding it has removed.
  const unchunked = environ.CONTENT_LENGTH !== undefined
  // The keys of an Environ are patterns, which a computed name cannot be shown to match; the value is checked.
  const variables = environ as unknown as Readonly<Record<string, unknown>>
  for (const key in variables) {
    const name = headerName(key)
    if (name === undefined) continue
    const value = variables[key]
    if (typeof value !== 'string') continue
    if (unchunked && name.lower === 'transfer-encoding') continue
    visit(name, value)
  }
}

/** The request target: REQUEST_URI as the client sent it, before the front server's rewrites; rebuilt where it is absent. */
export function requestTarget(environ: Environ): ByteString {
  const uri = environ['REQUEST_URI']
  if (uri !== undefined && uri !== '') return uri
  const path = quotePath(environ.SCRIPT_NAME + environ.PATH_INFO) || '/'
  return environ.QUERY_STRING === '' ? path : `${path}?${environ.QUERY_STRING}`
}

/** Whether a body can follow: otherwise nothing needs to be awaited to know that there is none. */
export function mayHaveBody(environ: Environ): boolean {
  const length = environ.CONTENT_LENGTH
  if (length !== undefined) return length !== '0'
  if (environ['HTTP_TRANSFER_ENCODING'] !== undefined) return true
  const method = environ.REQUEST_METHOD
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
}
