/** What the names of variables mean, told from a name once and not for every request. */

import { ownText } from '../own-text.ts'

/**
 * - `plain`: kept as it is
 * - `path`: what the client wrote may be in it: checked for NUL
 * - `type`, `length`: CONTENT_TYPE and CONTENT_LENGTH, absent where they are empty
 * - `header`: `HTTP_*`, checked and merged
 * - `host`: HTTP_HOST, never merged
 * - `dropped`: checked as headers are, and never passed on: HTTP_CONTENT_LENGTH and HTTP_CONTENT_TYPE, for the bare forms count
 *   and the copies may disagree with them; HTTP_PROXY, the hole of httpoxy
 * - `ignored`: `tsgi.*`, for a string must not replace the stream
 */
type Role = 'plain' | 'path' | 'type' | 'length' | 'header' | 'host' | 'dropped' | 'ignored'

const ROLES: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['REQUEST_URI', 'path'],
  ['PATH_INFO', 'path'],
  ['SCRIPT_NAME', 'path'],
  ['QUERY_STRING', 'path'],
  ['SERVER_NAME', 'path'],
  ['CONTENT_TYPE', 'type'],
  ['CONTENT_LENGTH', 'length'],
  ['HTTP_HOST', 'host'],
  ['HTTP_CONTENT_LENGTH', 'dropped'],
  ['HTTP_CONTENT_TYPE', 'dropped'],
  ['HTTP_PROXY', 'dropped'],
])

/**
 * The variables that the gateway and its adapters ask for by name. Each has a slot in the list of those, so that a look at one
 * is a look at an element: to search the variables of a request for one that is not there costs 0.1 us.
 */
export const SLOTS = {
  REQUEST_METHOD: 0,
  REQUEST_URI: 1,
  SCRIPT_NAME: 2,
  PATH_INFO: 3,
  QUERY_STRING: 4,
  SERVER_NAME: 5,
  SERVER_PORT: 6,
  SERVER_PROTOCOL: 7,
  CONTENT_LENGTH: 8,
  CONTENT_TYPE: 9,
  DOCUMENT_URI: 10,
  HTTPS: 11,
  REQUEST_SCHEME: 12,
  UWSGI_SCHEME: 13,
  UWSGI_ROUTER: 14,
  HTTP_HOST: 15,
  HTTP_TRANSFER_ENCODING: 16,
  HTTP_CONNECTION: 17,
  HTTP_UPGRADE: 18,
  HTTP_EXPECT: 19,
  HTTP_X_REQUEST_START: 20,
} as const

const slots: ReadonlyMap<string, number> = new Map(Object.entries(SLOTS))

/** -1 for all that have none. Remembers nothing: applications may ask for what clients wrote. */
export const slotOf = (name: string): number => slots.get(name) ?? -1

/** Front servers send these two in any case; without a body they are empty. */
export function isAbsent(name: string, value: string): boolean {
  return value === '' && (name === 'CONTENT_LENGTH' || name === 'CONTENT_TYPE')
}

export interface HeaderName {
  /** `user-agent` */
  readonly lower: string
  /** `User-Agent`: what most clients send; the real spelling is lost on the way through a gateway protocol. */
  readonly title: string
}

export class VariableName {
  readonly text: string
  readonly role: Role
  /** See SLOTS; -1 for all others. */
  readonly slot: number
  /** Whoever asks for this name gets this object. */
  readonly isShared: boolean
  /** The number of the last list in which it was met, of a shared one. */
  metIn = 0
  #header: HeaderName | null | undefined = undefined

  constructor(text: string, isShared: boolean) {
    this.text = text
    this.isShared = isShared
    this.role = roleOf(text)
    this.slot = slotOf(text)
  }

  /** The request header that it stands for (RFC 3875 section 4.1.18); null for every other variable. */
  get header(): HeaderName | null {
    if (this.#header === undefined) this.#header = headerOf(this.text)
    return this.#header
  }
}

function roleOf(name: string): Role {
  const role = ROLES.get(name)
  if (role !== undefined) return role
  if (name.startsWith('HTTP_')) return 'header'
  return name.startsWith('tsgi.') ? 'ignored' : 'plain'
}

function headerOf(name: string): HeaderName | null {
  const variable = name === 'CONTENT_TYPE' || name === 'CONTENT_LENGTH' ? `HTTP_${name}` : name
  if (!variable.startsWith('HTTP_') || variable.length === 5) return null
  const lower = variable.slice(5).toLowerCase().replaceAll('_', '-')
  return { lower, title: lower.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase()) }
}

const UNAMBIGUOUS = /^[A-Za-z0-9-]+$/

/**
 * Whether a name, as a client wrote it, is that of one variable without doubt: `X_A` and `X-A` would become one, and a proxy may have
 * checked only the other. Front servers drop all others too (nginx: ignore_invalid_headers, underscores_in_headers).
 */
export const isUnambiguous = (header: string): boolean => UNAMBIGUOUS.test(header)

/** The variable of a request header: `CONTENT_TYPE`, `CONTENT_LENGTH`, else `HTTP_` and the name. */
export function headerVariable(header: string): string {
  const name = header.toUpperCase().replaceAll('-', '_')
  return name === 'CONTENT_TYPE' || name === 'CONTENT_LENGTH' ? name : `HTTP_${name}`
}

/** Browsers and proxies send the same few dozen names for ever; a client that makes names up must not fill the memory. */
export const MAX_REMEMBERED = 1024
const MAX_REMEMBERED_LENGTH = 64
const MAX_POSITIONS = 128
const remembered = new Map<string, VariableName>()
const positions: VariableName[] = []
for (const text of slots.keys()) variableName(text)

/** One object per name, as long as there are not too many of them. */
export function variableName(text: string): VariableName {
  const known = remembered.get(text)
  if (known !== undefined) return known
  if (remembered.size >= MAX_REMEMBERED || text.length > MAX_REMEMBERED_LENGTH) return new VariableName(text, false)
  const name = new VariableName(ownText(text), true)
  remembered.set(name.text, name)
  return name
}

/**
 * The same, and quicker: front servers send the same names in the same order, and the decoders hand out the same string for the
 * same name, so one comparison of two pointers finds it.
 * @param position of the variable in its request, from 0
 */
export function variableNameAt(position: number, text: string): VariableName {
  const known = positions[position]
  if (known !== undefined && known.text === text) return known
  const name = variableName(text)
  if (name.isShared && position < MAX_POSITIONS && position <= positions.length) positions[position] = name
  return name
}
