/**
 * The platform's Request over what was sent: an application that reads url and method pays for these. Everything else goes
 * through a real Request, made once, when it is first asked for.
 */

import { mayHaveBody, type RequestSource } from '../../gateway/request-source.ts'
import { LazyHeaders } from './lazy-headers.ts'
import { delegate, rememberNative } from './native.ts'
import { requestUrl } from './request-url.ts'

const { Request: NativeRequest } = rememberNative()

const decoder = new TextDecoder()

export class LazyRequest {
  readonly #source: RequestSource
  #url: string | undefined = undefined
  #headers: LazyHeaders | undefined = undefined
  #native: Request | undefined = undefined
  /** The body was read past the native object. */
  #isRead = false

  constructor(source: RequestSource) {
    this.#source = source
  }

  /** The real Request behind `input` when it is one of ours; `input` itself otherwise. */
  static unwrap<Input>(input: Input): Input | Request {
    return typeof input === 'object' && input !== null && #source in input ? input.native() : input
  }

  get method(): string {
    return this.#source.variables.method
  }

  get url(): string {
    this.#url ??= requestUrl(this.#source.variables)
    return this.#url
  }

  get headers(): Headers {
    // Its prototype chain is that of Headers, and every member of Headers is there: see delegate.
    return this.#lazyHeaders() as unknown as Headers
  }

  /** Aborts when the client leaves, when the request takes too long, when the worker goes; never after success. */
  get signal(): AbortSignal {
    return this.#source.signal()
  }

  get body(): ReadableStream<Uint8Array> | null {
    return this.#hasBody ? this.native().body : null
  }

  get bodyUsed(): boolean {
    return this.#isRead || this.#native?.bodyUsed === true
  }

  async text(): Promise<string> {
    return decoder.decode(await this.#readAll())
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.#readAll()
    const { buffer } = bytes
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength
    return isWhole ? buffer : Uint8Array.prototype.slice.call(bytes).buffer
  }

  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.arrayBuffer())
  }

  clone(): Request {
    if (this.bodyUsed) throw new TypeError('Request.clone: the body has already been read')
    return this.native().clone()
  }

  get [Symbol.toStringTag](): string {
    return 'Request'
  }

  native(): Request {
    if (this.#native === undefined) {
      const { method } = this
      const headers = this.#lazyHeaders()
      const body = this.#hasBody ? (this.#isRead ? endedStream() : this.#stream()) : null
      this.#native = new NativeRequest(this.url, {
        // The platform forbids it; what asks for the method gets the true one.
        method: method === 'TRACE' ? 'GET' : method,
        headers: headers.native(),
        signal: this.signal,
        ...(body === null ? {} : { body, duplex: 'half' as const }),
      })
      headers.become(this.#native.headers)
      // A body that was read is used up, and not empty: `new Request(request)` and `fetch(request)` must refuse it.
      if (this.#isRead) void this.#native.body?.cancel()
    }
    return this.#native
  }

  #lazyHeaders(): LazyHeaders {
    this.#headers ??= new LazyHeaders(this.#source)
    return this.#headers
  }

  /** The platform's rule: GET and HEAD have none. */
  get #hasBody(): boolean {
    const { method } = this
    return method !== 'GET' && method !== 'HEAD' && method !== 'TRACE' && mayHaveBody(this.#source.variables)
  }

  async #readAll(): Promise<Uint8Array> {
    if (this.bodyUsed) throw new TypeError('Body is unusable: Body has already been read')
    if (!this.#hasBody) return new Uint8Array(0)
    if (this.#native !== undefined) return new Uint8Array(await this.#native.arrayBuffer())
    this.#isRead = true
    return this.#source.input.read()
  }

  #stream(): ReadableStream<Uint8Array> {
    const chunks = this.#source.input[Symbol.asyncIterator]()
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const result = await chunks.next()
          if (result.done === true) controller.close()
          else controller.enqueue(result.value)
        },
        async cancel() {
          await chunks.return?.()
        },
      },
      { highWaterMark: 0 },
    )
  }
}

function endedStream(): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })
}

delegate(LazyRequest.prototype, NativeRequest.prototype, (lazy) => lazy.native())
Object.setPrototypeOf(LazyRequest.prototype, NativeRequest.prototype)
