/** Request headers out of an environ, and back: RFC 3875 section 4.1.18. The one place that knows how names are spelt. */

import type { ByteString, Environ } from '../application.ts'
import type { SentVariables } from '../gateway/sent.ts'
import { quotePath } from '../gateway/text.ts'

export interface HeaderName {
  /** `user-agent` */
  readonly lower: string
  /** `User-Agent`: what most clients send; the real spelling is lost on the way through a gateway protocol. */
  readonly title: string
  /** The number of the last `sent` list in which it was met: a name that was sent twice is in the environ once. */
  metIn: number
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
  return { lower, title: lower.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase()), metIn: 0 }
}

/** The environ key of a header: `CONTENT_TYPE`, `CONTENT_LENGTH`, else `HTTP_` and the name. */
export function headerVariable(name: string): string {
  const key = name.toUpperCase().replaceAll('-', '_')
  return key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH' ? key : `HTTP_${key}`
}

type Visit = (name: HeaderName, value: ByteString) => void

/** The keys of an Environ are patterns, which a computed name cannot be shown to match; the values are checked. */
type Variables = Readonly<Record<string, unknown>>

/**
 * Calls `visit` for each header in the order of the environ.
 * @param sent see `sentVariables`; undefined where `environ` may have been changed since
 */
export function eachHeader(environ: Environ, visit: Visit, sent?: SentVariables): void {
  const variables = environ as unknown as Variables
  // nginx sends a chunked request on with its length and still names the coding it has removed.
  const unchunked = environ.CONTENT_LENGTH !== undefined
  if (sent !== undefined) {
    eachSent(sent, variables, unchunked, visit)
    return
  }
  for (const key in variables) {
    const name = headerName(key)
    if (name !== undefined) visitOne(name, variables[key], unchunked, visit)
  }
}

const FIRST_OF_CONTENT = 0x43
const FIRST_OF_HTTP = 0x48
let lists = 0

function eachSent(sent: SentVariables, variables: Variables, unchunked: boolean, visit: Visit): void {
  lists++
  for (let index = 0; index < sent.length; index += 2) {
    const key = sent[index] ?? ''
    const first = key.charCodeAt(0)
    if (first !== FIRST_OF_HTTP && first !== FIRST_OF_CONTENT) continue
    const name = headerName(key)
    // One that is not remembered has an object of its own each time.
    if (name === undefined || name.metIn === lists || (name.metIn === 0 && isRepeated(sent, index))) continue
    name.metIn = lists
    visitOne(name, variables[key], unchunked, visit)
  }
}

/** Whether the name at `index` stands before it already: a name, for the client can write the same into a value. */
function isRepeated(sent: SentVariables, index: number): boolean {
  for (let before = 0; before < index; before += 2) if (sent[before] === sent[index]) return true
  return false
}

function visitOne(name: HeaderName, value: unknown, unchunked: boolean, visit: Visit): void {
  if (typeof value !== 'string' || (unchunked && name.lower === 'transfer-encoding')) return
  visit(name, value)
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
