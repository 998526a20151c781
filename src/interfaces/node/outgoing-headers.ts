/** The head of a Node response as a HeaderList: what `_storeHeader` of http.OutgoingMessage writes as text. */

import http from 'node:http'
import type { HeaderList } from '../../application.ts'
import { isHopByHop } from '../../gateway/hop-by-hop.ts'
import { type ResponseInternals, responseSymbol } from './internals.ts'

const OUT_HEADERS = responseSymbol('kOutHeaders')

interface Collected {
  readonly list: (readonly [string, string])[]
  contentLength: boolean
  transferEncoding: boolean
}

/** What setHeader filled; null or undefined before. */
export function headerStore(response: http.ServerResponse): unknown {
  if (OUT_HEADERS === undefined) return undefined
  return (response as unknown as Readonly<Record<symbol, unknown>>)[OUT_HEADERS]
}

/** @param headers what writeHead was given, or the store that setHeader filled */
export function outgoingHeaders(response: http.ServerResponse & ResponseInternals, headers: unknown): HeaderList {
  const collected: Collected = { list: [], contentLength: false, transferEncoding: false }
  if (headers !== null && headers !== undefined && headers === headerStore(response)) fromStore(headers, collected)
  else if (Array.isArray(headers)) fromArray(headers, collected)
  else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers)) add(name, value, true, collected)
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

/** The store of setHeader: lower-case name to [name as given, value], checked when it was set. */
function fromStore(store: unknown, collected: Collected): void {
  const entries = store as Readonly<Record<string, readonly [string, unknown]>>
  for (const key in entries) {
    const entry = entries[key]
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
  if (unchecked) http.validateHeaderName(field)
  if (Array.isArray(value)) {
    if (field.toLowerCase() === 'cookie') addOne(field, value.join('; '), unchecked, collected)
    else for (const one of value) addOne(field, one, unchecked, collected)
  } else addOne(field, value, unchecked, collected)
}

function addOne(field: string, value: unknown, unchecked: boolean, collected: Collected): void {
  const content = typeof value === 'string' ? value : String(value)
  // With undefined the check throws what writeHead throws, ERR_HTTP_INVALID_HEADER_VALUE; its type asks for a string.
  if (unchecked) http.validateHeaderValue(field, value === undefined ? (value as unknown as string) : content)
  const length = field.length
  if (length === 14 && field.toLowerCase() === 'content-length') collected.contentLength = true
  else if (isHopByHop(field)) {
    if (length === 17) collected.transferEncoding = true
    return
  }
  collected.list.push([field, needsTrim(content) ? content.replace(/^[\t ]+|[\t ]+$/g, '') : content])
}

function needsTrim(content: string): boolean {
  return content.charCodeAt(0) <= 0x20 || content.charCodeAt(content.length - 1) <= 0x20
}
