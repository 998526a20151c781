/**
 * The platform's Response for the common case: a body that is whole, or a stream, and headers as plain pairs. What an
 * application asks beyond status, headers and body goes through a real Response, made once.
 */

import type { HeaderList } from '../../application.ts'
import { TOKEN } from '../../gateway/grammar.ts'
import { delegate, rememberNative, standInFor } from './native.ts'

const { Headers, Response: NativeResponse } = rememberNative()

type Pairs = [name: string, value: string][]
type WholeBody = string | Uint8Array | null
type BodyArgument = ConstructorParameters<typeof globalThis.Response>[0]
type InitArgument = ConstructorParameters<typeof globalThis.Response>[1]

const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/
const MAX_REMEMBERED = 1024
const lowerNames = new Map<string, string>()

/** What the gateway needs of a response that nobody has looked into. */
export interface PlainResponse {
  readonly status: number
  readonly statusText: string
  readonly headers: HeaderList
  readonly body: WholeBody | ReadableStream<Uint8Array>
}

export class LazyResponse {
  #status = 200
  #statusText = ''
  #pairs: Pairs = []
  #headers: Headers | undefined = undefined
  #body: WholeBody | ReadableStream<Uint8Array> = null
  #native: Response | undefined = undefined

  constructor(body?: BodyArgument, init?: InitArgument) {
    if (!this.#takeInit(init) || !this.#takeBody(body)) this.#native = new NativeResponse(body, init)
  }

  /** Undefined for a Response of the platform, and for one of ours that went through one. */
  static plain(response: object): PlainResponse | undefined {
    if (!(#status in response) || response.#native !== undefined) return undefined
    const headers: HeaderList = response.#headers === undefined ? response.#pairs : [...response.#headers]
    return { status: response.#status, statusText: response.#statusText, headers, body: response.#body }
  }

  static json(data: unknown, init?: InitArgument): Response {
    const text = JSON.stringify(data)
    if (text === undefined) throw new TypeError('Response.json: the value is not JSON serializable')
    const response = new LazyResponse(text, init)
    if (!hasContentType(init)) response.headers.set('content-type', 'application/json')
    return asResponse(response)
  }

  static redirect(url: string | URL, status = 302): Response {
    if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`Invalid status code ${status}`)
    return asResponse(new LazyResponse(null, { status, headers: { location: new URL(url).href } }))
  }

  static error(): Response {
    return NativeResponse.error()
  }

  get status(): number {
    return this.#native?.status ?? this.#status
  }

  get statusText(): string {
    return this.#native?.statusText ?? this.#statusText
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299
  }

  get headers(): Headers {
    this.#headers ??= this.#native?.headers ?? new Headers(this.#pairs)
    return this.#headers
  }

  get body(): ReadableStream<Uint8Array> | null {
    return this.#body === null && this.#native === undefined ? null : this.native().body
  }

  get bodyUsed(): boolean {
    return this.#native?.bodyUsed === true
  }

  clone(): Response {
    return this.native().clone()
  }

  get [Symbol.toStringTag](): string {
    return 'Response'
  }

  native(): Response {
    const { headers } = this
    if (this.#native === undefined) {
      const init = { status: this.#status, statusText: this.#statusText, headers }
      const body = this.#body
      // The type wants bytes that are not shared; ours are a copy of what the application gave.
      this.#native = new NativeResponse(body as BodyArgument, init)
      this.#body = null
    } else if (headers !== this.#native.headers) {
      // The application may hold on to the headers that were copied, and set some since: its clones have them too.
      replaceAll(this.#native.headers, headers)
    }
    return this.#native
  }

  #takeInit(init: InitArgument): boolean {
    if (init === undefined || init === null) return true
    if (typeof init !== 'object') return false
    const { status, statusText, headers } = init
    if (status !== undefined) {
      if (!Number.isInteger(status) || status < 200 || status > 599) return false
      this.#status = status
    }
    if (statusText !== undefined) {
      if (typeof statusText !== 'string' || !REASON.test(statusText)) return false
      this.#statusText = statusText
    }
    if (headers === undefined || headers === null) return true
    const pairs = plainPairs(headers)
    if (pairs === undefined) return false
    this.#pairs = pairs
    return true
  }

  #takeBody(body: unknown): boolean {
    if (body === undefined || body === null) return true
    if (this.#status === 204 || this.#status === 205 || this.#status === 304) return false
    if (typeof body === 'string') {
      this.#body = body
      if (!this.#pairs.some(([name]) => name === 'content-type')) {
        this.#pairs.push(['content-type', 'text/plain;charset=UTF-8'])
      }
      return true
    }
    if (body instanceof Uint8Array) this.#body = Uint8Array.prototype.slice.call(body)
    else if (body instanceof ArrayBuffer) this.#body = new Uint8Array(body.slice(0))
    else if (body instanceof ReadableStream && !body.locked) this.#body = body
    else return false
    return true
  }
}

/** Lower-case names and checked values; undefined where the platform's Headers must decide. */
function plainPairs(headers: unknown): Pairs | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined
  if (headers instanceof Headers) return [...headers]
  const entries: unknown = Array.isArray(headers) ? headers : isRecord(headers) ? Object.entries(headers) : undefined
  if (!Array.isArray(entries)) return undefined
  const pairs: Pairs = []
  for (const entry of entries) {
    if (!Array.isArray(entry) || entry.length !== 2) return undefined
    const [name, value]: unknown[] = entry
    if (typeof name !== 'string' || typeof value !== 'string' || !VALUE.test(value)) return undefined
    const lower = lowerName(name)
    // Repeats are joined, save cookies: rare enough to be left to the platform.
    if (lower === undefined || (lower !== 'set-cookie' && pairs.some(([seen]) => seen === lower))) return undefined
    pairs.push([lower, value])
  }
  return pairs
}

function replaceAll(target: Headers, source: Headers): void {
  for (const name of [...target.keys()]) target.delete(name)
  for (const [name, value] of source) target.append(name, value)
}

function isRecord(headers: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(headers)
  return (prototype === Object.prototype || prototype === null) && !(Symbol.iterator in headers)
}

function lowerName(name: string): string | undefined {
  const known = lowerNames.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name)) return undefined
  const lower = name.toLowerCase()
  if (lowerNames.size < MAX_REMEMBERED) lowerNames.set(name, lower)
  return lower
}

function hasContentType(init: InitArgument): boolean {
  return init?.headers !== undefined && new Headers(init.headers).has('content-type')
}

/** Every member of Response is there, own or by `delegate`, and the prototype chain is that of Response. */
function asResponse(response: LazyResponse): Response {
  return response as unknown as Response
}

delegate(LazyResponse.prototype, NativeResponse.prototype, (lazy) => lazy.native())
Object.setPrototypeOf(LazyResponse.prototype, NativeResponse.prototype)
standInFor(LazyResponse, NativeResponse)
