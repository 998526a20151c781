/**
 * Head and body of a response as text: an HTTP status line (uwsgi) or a `Status:` field (RFC 3875 section 6.3.3), header
 * lines, an empty line, the body.
 */

import type { ResponseEvent, ResponseHead } from './request.ts'

export class ResponseText {
  readonly #form: 'http' | 'cgi'
  /** The response to a HEAD request: no body, whatever Content-Length says. */
  readonly #bodiless: boolean
  #text = ''
  #head: ResponseHead | undefined
  #bodyBytes = 0

  constructor(form: 'http' | 'cgi', bodiless: boolean) {
    this.#form = form
    this.#bodiless = bodiless
  }

  feed(bytes: Uint8Array): readonly ResponseEvent[] {
    if (bytes.length === 0) return []
    if (this.#head !== undefined) {
      this.#bodyBytes += bytes.length
      return [{ kind: 'body', chunk: bytes }]
    }
    const before = this.#text.length
    this.#text += Buffer.from(bytes).toString('latin1')
    const end = /\r?\n\r?\n/.exec(this.#text)
    if (end === null) return []
    this.#head = parseHead(this.#text.slice(0, end.index), this.#form)
    const head: ResponseEvent = { kind: 'head', head: this.#head }
    return [head, ...this.feed(bytes.subarray(end.index + end[0].length - before))]
  }

  /** What is wrong with a response that ends here; undefined: nothing. */
  problemAtEnd(): string | undefined {
    const head = this.#head
    if (head === undefined) return `the response ended inside its head, after ${this.#text.length} bytes`
    if (this.#bodiless || head.status === 204 || head.status === 304) return undefined
    const announced = head.headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1]
    if (announced === undefined || Number(announced) === this.#bodyBytes) return undefined
    return `the body has ${this.#bodyBytes} bytes, Content-Length says ${announced}`
  }
}

function parseHead(text: string, form: 'http' | 'cgi'): ResponseHead {
  const lines = text.split(/\r?\n/)
  let status = 200
  let reason = ''
  if (form === 'http' || text.startsWith('HTTP/')) {
    const [, code = '', phrase = ''] = /^HTTP\/\S+ ([0-9]{3}) ?(.*)$/.exec(lines.shift() ?? '') ?? []
    status = Number(code)
    reason = phrase
  }
  const headers: (readonly [string, string])[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).trim()
    if (form === 'cgi' && name.toLowerCase() === 'status') {
      status = Number(value.slice(0, 3))
      reason = value.slice(4)
    } else headers.push([name, value])
  }
  return { status, reason, headers }
}
