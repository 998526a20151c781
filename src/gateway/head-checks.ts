/** What startResponse accepts: PEP 3333, "The start_response() Callable" and "Unicode Issues", and RFC 9110 section 5. */

import type { HeaderList } from '../application.ts'
import { describe, TsgiError } from '../errors.ts'
import { LENGTH, TOKEN } from './grammar.ts'
import { isHopByHop } from './hop-by-hop.ts'

/** A checked head. `headers` is a copy: the application's list stays as it is, whatever it does with it later. */
export interface Head {
  readonly status: string
  readonly code: number
  readonly headers: HeaderList
  /** As declared; undefined when no Content-Length is among the headers. */
  readonly contentLength: number | undefined
}

/** 1xx is refused: an interim status would be taken for the final one by every gateway protocol. */
const STATUS = /^[2-5][0-9]{2} [\t\x20-\x7e\x80-\xff]*$/

type NameClass = 'plain' | 'content-length'

/** Applications send the same few names and statuses for ever: what passed once is not matched again. Bounded. */
const MAX_REMEMBERED = 512
const knownNames = new Map<string, NameClass>()
const knownStatuses = new Map<string, number>()

/** @throws TsgiError TSGI_APP_BAD_STATUS | TSGI_APP_BAD_HEADER, naming what was wrong */
export function checkHead(status: unknown, headers: unknown): Head {
  if (typeof status !== 'string') throw badStatus(status)
  const code = codeOf(status)
  if (!Array.isArray(headers))
    throw badHeader(`the headers must be an array of [name, value] pairs, not ${describe(headers)}`)
  const copy: (readonly [string, string])[] = []
  let contentLength: number | undefined
  for (const entry of headers) {
    const pair = checkEntry(entry)
    if (classOf(pair[0]) === 'content-length') {
      const isRepeat = contentLength !== undefined
      contentLength = checkContentLength(pair[1], contentLength)
      // Two that agree are one: nginx since 1.23 takes two for a broken response (RFC 9110 section 8.6).
      if (isRepeat) continue
    }
    copy.push(pair)
  }
  return { status, code, headers: copy, contentLength }
}

function codeOf(status: string): number {
  const known = knownStatuses.get(status)
  if (known !== undefined) return known
  if (!STATUS.test(status) || status.endsWith('\n')) throw badStatus(status)
  const code = Number(status.slice(0, 3))
  if (knownStatuses.size < MAX_REMEMBERED) knownStatuses.set(status, code)
  return code
}

const badStatus = (status: unknown): TsgiError =>
  new TsgiError(
    'TSGI_APP_BAD_STATUS',
    `the status must be three digits from 200 to 599, one space and a reason, like '200 OK', not ${describe(status)}`,
  )

function checkEntry(entry: unknown): readonly [string, string] {
  if (!Array.isArray(entry) || entry.length !== 2) {
    throw badHeader(`a header must be a [name, value] pair, not ${describe(entry)}`)
  }
  const name: unknown = entry[0]
  const value: unknown = entry[1]
  if (typeof name !== 'string') throw badHeader(`a header name must be a string, not ${describe(name)}`)
  if (typeof value !== 'string')
    throw badHeader(`the value of ${describe(name)} must be a string, not ${describe(value)}`)
  if (!isFieldValue(value)) {
    throw badHeader(
      `the value of ${describe(name)} has a control character, a character beyond U+00FF, or a blank at its start or end: ${describe(value)}`,
    )
  }
  return [name, value]
}

const TAB = 0x09
const SPACE = 0x20
const DELETE = 0x7f

/**
 * Checked by code point before anything is encoded: Node writes U+010A as the byte 0A. No blank at either end (RFC 9110 section
 * 5.5). A loop, for most values are shorter than the way into a regular expression.
 */
function isFieldValue(value: string): boolean {
  const { length } = value
  for (let index = 0; index < length; index++) {
    const code = value.charCodeAt(index)
    if (code === TAB || code === SPACE) {
      if (index === 0 || index === length - 1) return false
    } else if (code < SPACE || code === DELETE || code > 0xff) return false
  }
  return true
}

function classOf(name: string): NameClass {
  const known = knownNames.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name)) throw badHeader(`${describe(name)} is no header name (RFC 9110 section 5.6.2: a token)`)
  const lower = name.toLowerCase()
  if (isHopByHop(lower))
    throw badHeader(`${describe(name)} belongs to the gateway and the front server, not to an application`)
  const found = lower === 'content-length' ? 'content-length' : 'plain'
  if (knownNames.size < MAX_REMEMBERED) knownNames.set(name, found)
  return found
}

function checkContentLength(value: string, declared: number | undefined): number {
  if (!LENGTH.test(value)) throw badHeader(`Content-Length must be digits, at most 15, not ${describe(value)}`)
  const length = Number(value)
  if (declared !== undefined && declared !== length) {
    throw badHeader(`two Content-Length headers disagree: ${declared} and ${length}`)
  }
  return length
}

const badHeader = (message: string): TsgiError => new TsgiError('TSGI_APP_BAD_HEADER', message)
