/** The headers of a Node response: as `setHeader` keeps them, and as a HeaderList instead of the text that Node makes of them. */

import http from 'node:http'
import type { HeaderList } from '../../application.ts'
import { checkName, isSendable, knownName, type OutgoingName } from './header-names.ts'
import { nativeResponse, type ResponseInternals, responseSymbol } from './internals.ts'

const OUT_HEADERS = responseSymbol('kOutHeaders')

/** Lower-case name to [name as given, value], checked when it was set. */
type HeaderStore = Record<string, Entry>
type Entry = readonly [name: string, value: unknown]

/**
 * Like the `{ __proto__: null }` that Node takes, but one whose shape V8 knows: entries are added and enumerated without a call
 * into C++ (measured in a listener that sets one header, through nginx: 5 % of its time).
 */
function EmptyStore(): void {
  return
}
EmptyStore.prototype = Object.create(null)
// TypeScript has no type for a plain function called with `new`; a class cannot be given a prototype without a constructor.
const Store = EmptyStore as unknown as new () => HeaderStore

function put(store: HeaderStore, key: string, entry: Entry): void {
  store[key] = entry
}
// Where only one name ever came by, V8 would be prepared for that one, and for no store that does not have it yet.
for (const name of ['date', 'etag', 'vary', 'link']) put(new Store(), name, [name, ''])

type Response = http.ServerResponse & ResponseInternals

interface Collected {
  readonly list: (readonly [string, string])[]
  contentLength: boolean
  transferEncoding: boolean
}

/** What setHeader filled; null or undefined before. */
export function headerStore(response: http.ServerResponse): HeaderStore | null | undefined {
  return OUT_HEADERS === undefined ? undefined : storesOf(response)[OUT_HEADERS]
}

/** TypeScript does not know the members under the symbols of Node. */
function storesOf(response: http.ServerResponse): Record<symbol, HeaderStore | null> {
  return response as unknown as Record<symbol, HeaderStore | null>
}

/** `setHeader` for a name that has passed before and a text: Node's matches the name and the value again each time. */
export function setKnownHeader(this: Response, name: string, value: number | string | readonly string[]): Response {
  const known = knownName(name)
  if (
    known === undefined ||
    OUT_HEADERS === undefined ||
    typeof value !== 'string' ||
    this._header !== null ||
    !isSendable(value)
  ) {
    nativeResponse.setHeader.call(this, name, value)
    checkName(name)
    return this
  }
  let store = storesOf(this)[OUT_HEADERS]
  if (store === null || store === undefined) {
    store = new Store()
    storesOf(this)[OUT_HEADERS] = store
  }
  put(store, known.lower, [name, value])
  return this
}

/** @param headers what writeHead was given, or the store that setHeader filled */
export function outgoingHeaders(response: Response, headers: unknown): HeaderList {
  const collected: Collected = { list: [], contentLength: false, transferEncoding: false }
  const store = headerStore(response)
  if (store !== null && store !== undefined && headers === store) fromStore(store, collected)
  else if (Array.isArray(headers)) fromArray(headers, collected)
  else if (typeof headers === 'object' && headers !== null) {
    const entries = headers as Readonly<Record<string, unknown>>
    for (const name of Object.keys(entries)) add(name, entries[name], true, collected)
  }
  // As node:http does for a body that is known whole; see `_removedContLen` for removeHeader('Content-Length').
  if (
    response._hasBody &&
    !collected.contentLength &&
    !collected.transferEncoding &&
    !response._removedContLen &&
    typeof response._contentLength === 'number'
  ) {
    collected.list.push(['Content-Length', String(response._contentLength)])
  }
  return collected.list
}

function fromStore(store: HeaderStore, collected: Collected): void {
  for (const key in store) {
    const entry = store[key]
    if (entry !== undefined) add(entry[0], entry[1], false, collected)
  }
}

function fromArray(headers: readonly unknown[], collected: Collected): void {
  if (Array.isArray(headers[0])) {
    for (const entry of headers) if (Array.isArray(entry)) add(entry[0], entry[1], true, collected)
    return
  }
  if (headers.length % 2 !== 0) {
    throw Object.assign(new TypeError("The argument 'headers' is invalid: names and values must come in pairs"), {
      code: 'ERR_INVALID_ARG_VALUE',
    })
  }
  for (let at = 0; at < headers.length; at += 2) add(headers[at], headers[at + 1], true, collected)
}

function add(name: unknown, value: unknown, unchecked: boolean, collected: Collected): void {
  const field = String(name)
  const known = checkName(field)
  if (!Array.isArray(value)) addOne(known, field, value, unchecked, collected)
  else if (known.kind === 'cookie') addOne(known, field, value.join('; '), unchecked, collected)
  else for (const one of value) addOne(known, field, one, unchecked, collected)
}

function addOne(known: OutgoingName, field: string, value: unknown, unchecked: boolean, collected: Collected): void {
  const content = typeof value === 'string' ? value : String(value)
  if (unchecked && (value === undefined || !isSendable(content))) {
    // Throws what writeHead throws, with undefined ERR_HTTP_INVALID_HEADER_VALUE; its type asks for a string.
    http.validateHeaderValue(field, value === undefined ? (value as unknown as string) : content)
  }
  switch (known.kind) {
    case 'content-length':
      collected.contentLength = true
      break
    case 'transfer-encoding':
      collected.transferEncoding = true
      return
    case 'hop-by-hop':
      return
  }
  collected.list.push([field, needsTrim(content) ? content.replace(/^[\t ]+|[\t ]+$/g, '') : content])
}

function needsTrim(content: string): boolean {
  return content.charCodeAt(0) <= 0x20 || content.charCodeAt(content.length - 1) <= 0x20
}
