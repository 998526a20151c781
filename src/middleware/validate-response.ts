/** What an application says before its body: startResponse and write (PEP 3333, "The start_response() Callable"). */

import type { Environ, HeaderList, StartResponse, Status, Write } from '../application.ts'
import { asError, describe, isError } from '../errors.ts'
import { isBytes } from '../gateway/chunk.ts'
import { checkHead, type Head } from '../gateway/head-checks.ts'
import { isBodyless } from '../gateway/response-rules.ts'
import type { Violations } from './violations.ts'

/** Front servers keep a head in a buffer; nginx's is 4 or 8 KiB (ngx_http_uwsgi_module, uwsgi_buffer_size). */
const LARGE_HEAD_BYTES = 8192

/** One response as the checks have seen it so far. */
export class ResponseState {
  readonly #violations: Violations
  readonly #method: string
  #calls = 0
  #head: Head | undefined
  #given: HeaderList = []
  #snapshot = ''
  #bytes = 0
  #rethrown = false
  #warned = false
  #handedOver = false
  /** How often startResponse was called with excInfo. */
  excInfoCalls = 0
  /** The application returned its body. */
  returned = false
  /** The application threw, or its body did. */
  failed = false
  /** The gateway is done with the response. */
  over = false

  constructor(environ: Environ, violations: Violations) {
    this.#violations = violations
    this.#method = environ.REQUEST_METHOD
  }

  get started(): boolean {
    return this.#head !== undefined
  }

  wrapStart(start: StartResponse): StartResponse {
    return (...args: [status: Status, headers: HeaderList, excInfo?: unknown]) => {
      const [status, headers, excInfo] = args
      if (args.length < 2 || args.length > 3) {
        this.#violations.report(`startResponse takes 2 or 3 arguments, not ${args.length}`)
      }
      if (this.over) this.#violations.report('startResponse was called after the response had ended')
      this.#calls += 1
      if (excInfo !== undefined) this.excInfoCalls += 1
      else if (this.#calls > 1) {
        this.#violations.report(
          'startResponse was called again without excInfo; the first call counts even if it failed',
        )
      }
      this.#check(status, headers)
      let write: Write
      try {
        write = start(...args)
      } catch (error) {
        if (excInfo !== undefined && error === excInfo) this.#rethrown = true
        throw error
      }
      return (chunk) => this.#write(write, chunk)
    }
  }

  /** Any chunk on its way to the server, written or yielded. */
  countChunk(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    if (chunk.length === 0) return
    if (this.#rethrown) this.#violations.report('output follows an error that startResponse threw back: it was trapped')
    const head = this.#head
    if (head === undefined) {
      this.#violations.report('a chunk came before startResponse was called')
      return
    }
    this.#checkUnchanged()
    this.#checkBodyless(head)
    const { contentLength } = head
    if (contentLength !== undefined && this.#bytes > contentLength && !isBodyless(this.#method, head.code)) {
      this.#violations.report(`the body is longer than its Content-Length of ${contentLength}`)
    }
    const bodyless = isBodyless(this.#method, head.code)
    if (!bodyless && !this.#warned && !head.headers.some(([name]) => name.toLowerCase() === 'content-type')) {
      this.#warned = true
      this.#violations.warn(`a body without a Content-Type (status ${head.code})`)
    }
  }

  /** The connection is the application's: there is no response. */
  handOver(): void {
    this.#handedOver = true
  }

  /** The body ended by itself. */
  finish(): void {
    if (this.#handedOver) return
    const head = this.#head
    if (head === undefined) {
      this.#violations.report('the body ended and startResponse was never called')
      return
    }
    this.#checkUnchanged()
    const { contentLength, code } = head
    if (contentLength !== undefined && this.#bytes < contentLength && !isBodyless(this.#method, code)) {
      this.#violations.report(`the body ended after ${this.#bytes} of the ${contentLength} bytes of its Content-Length`)
    }
  }

  #check(status: unknown, headers: unknown): void {
    try {
      this.#head = checkHead(status, headers)
    } catch (error) {
      this.#violations.report(isError(error) ? asError(error).message : describe(error), error)
      return
    }
    this.#given = Array.isArray(headers) ? headers : []
    this.#snapshot = JSON.stringify(headers)
    if (this.#snapshot.length > LARGE_HEAD_BYTES) {
      this.#violations.warn(`the head has ${this.#snapshot.length} bytes; front servers refuse more than their buffer`)
    }
    const { code, headers: checked } = this.#head
    if ((code === 204 || code === 304) && checked.some(([name]) => name.toLowerCase() === 'content-type')) {
      this.#violations.warn(`a Content-Type with status ${code}, which has no body`)
    }
  }

  #write(write: Write, chunk: Uint8Array): Promise<void> {
    if (this.over) this.#violations.report('write was called after the response had ended')
    else if (this.returned) this.#violations.report('write was called after the body was returned')
    if (isBytes(chunk)) this.countChunk(chunk)
    else this.#violations.report(`write takes a Uint8Array, not ${describe(chunk)}`)
    return write(chunk)
  }

  #checkUnchanged(): void {
    if (JSON.stringify(this.#given) !== this.#snapshot) {
      this.#violations.report('the header list was changed after it was given to startResponse')
      this.#snapshot = JSON.stringify(this.#given)
    }
  }

  #checkBodyless(head: Head): void {
    if (this.#warned || !isBodyless(this.#method, head.code)) return
    this.#warned = true
    // An application may answer HEAD as it answers GET; the gateway drops the body.
    if (this.#method === 'HEAD') return
    this.#violations.report(`a response with status ${head.code} has no body`)
  }
}
