/** What HTTP asks of a response whatever the application says: RFC 9110 sections 6.4.1, 8.6 and 15; pure. */

import type { HeaderList } from '../application.ts'
import type { Head } from './head-checks.ts'

/** No body byte may follow this head (RFC 9110 section 6.4.1). */
export function isBodyless(method: string, code: number): boolean {
  return method === 'HEAD' || code === 204 || code === 205 || code === 304
}

const isContentLength = ([name]: HeaderList[number]): boolean => name.toLowerCase() === 'content-length'

const withoutContentLength = (headers: HeaderList): HeaderList => headers.filter((header) => !isContentLength(header))

/** Whether the head says where the response ends, to whatever request but HEAD: no end of the connection is needed for that. */
export function tellsItsEnd(status: string, headers: HeaderList): boolean {
  return isBodyless('GET', Number(status.slice(0, 3))) || headers.some(isContentLength)
}

/**
 * The headers that go out.
 * @param knownLength bytes of the whole body where the gateway can know: it makes a truncated response visible
 */
export function finalHeaders(method: string, head: Head, knownLength: number | undefined): HeaderList {
  if (head.code === 204) return head.contentLength === undefined ? head.headers : withoutContentLength(head.headers)
  if (head.code === 205) return [...withoutContentLength(head.headers), ['Content-Length', '0']]
  if (head.code === 304 || head.contentLength !== undefined || knownLength === undefined) return head.headers
  // A HEAD without one stays without: an application that answers [] to HEAD did not say the body is empty.
  if (method === 'HEAD' && knownLength === 0) return head.headers
  return withContentLength(head.headers, knownLength)
}

/** Copied by `slice`: a spread goes through the iterator, which costs more than the rest of it. */
export function withContentLength(headers: HeaderList, length: number): HeaderList {
  const longer = headers.slice()
  longer.push(['Content-Length', String(length)])
  return longer
}

/** A reason phrase is never left empty: nginx before 1.25.3 stumbles over it (nginx CHANGES 1.25.3). */
export function statusWithReason(status: string, code: number): string {
  if (status.length > 4) return status
  return `${code} ${REASONS[Math.floor(code / 100)] ?? 'Unknown'}`
}

const REASONS: Readonly<Record<number, string>> = { 2: 'OK', 3: 'Redirect', 4: 'Client Error', 5: 'Server Error' }
