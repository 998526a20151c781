/**
 * The response of one request: startResponse and write, the head kept back until the first byte, the bytes counted against
 * Content-Length (PEP 3333, "The start_response() Callable", "Handling the Content-Length Header").
 */

import type { HeaderList, StartResponse, Status, Write } from '../application.ts'
import { TsgiError } from '../errors.ts'
import { isBytes } from './chunk.ts'
import { checkHead, type Head } from './head-checks.ts'
import { badChunk, type ChunkTaker } from './pull.ts'
import { finalHeaders, isBodyless, statusWithReason, withContentLength } from './response-rules.ts'
import type { Sink } from './sink.ts'

/** The exchange, as its response sees it. */
export interface ResponseOwner {
  /** The request is over: nothing may be sent any more. */
  readonly ended: boolean
  /** Why it ended before the application was done; undefined where it did not. */
  readonly abortReason: unknown
  /** The response cannot be completed. */
  failed(error: unknown): void
  /** The response is complete. */
  completed(): void
  /** It has been for a while, and the application may still be writing. */
  unheard(): void
  warn(message: string): void
}

/** Chunks up to this size, or together up to this size, go out in one write with the head. */
const JOIN_BYTES = 65_536

/** For an application that answers HEAD by writing as it does for GET: most come to an end by themselves. */
const UNHEARD_MS = 5000

/** Of a connection that was handed over: no head of ours has it. */
const SWITCHED = 101

export class Response implements ChunkTaker {
  readonly #sink: Sink
  readonly #owner: ResponseOwner
  /** Of the request: HEAD has no body. Known before the application is called. */
  method = ''
  #head: Head | undefined
  /** startResponse was called, be it in vain: a second call needs excInfo. */
  #called = false
  #headSent = false
  /** The application returned: nothing may be written any more. */
  #writable = true
  #bodyless = false
  /** The transport was told the end. */
  #isEnded = false
  /** Said once. */
  #bodyDropped = false
  /** Bytes of the whole body where the gateway can count them and the application did not say. */
  #knownLength: number | undefined
  #status = 0
  #headers: HeaderList = []
  #bytes = 0

  constructor(sink: Sink, owner: ResponseOwner) {
    this.#sink = sink
    this.#owner = owner
  }

  get headSent(): boolean {
    return this.#headSent
  }

  /** All of it is with the transport: whatever happens now happens after it. */
  get isWhole(): boolean {
    return this.#isEnded
  }

  /** As sent; 0 before. */
  get status(): number {
    return this.#status
  }

  /** As sent; empty before. */
  get headers(): HeaderList {
    return this.#headers
  }

  /** Body bytes handed to the transport. */
  get bytes(): number {
    return this.#bytes
  }

  get ended(): boolean {
    return this.#owner.ended
  }

  get saturated(): boolean {
    return this.#sink.saturated
  }

  drained(): Promise<void> {
    return this.#sink.drained()
  }

  readonly startResponse: StartResponse = (status: Status, headers: HeaderList, excInfo?: unknown): Write => {
    if (this.ended) throw new TsgiError('TSGI_APP_ENDED', 'startResponse was called after the response ended')
    if (excInfo !== undefined) {
      if (this.#headSent) throw excInfo
    } else if (this.#called) {
      throw new TsgiError('TSGI_APP_STARTED_TWICE', 'startResponse was called a second time without excInfo')
    }
    this.#called = true
    this.#head = undefined
    this.#head = checkHead(status, headers)
    return this.#write
  }

  readonly #write: Write = (chunk: Uint8Array): Promise<void> => {
    if (this.ended) {
      const { abortReason } = this.#owner
      if (abortReason !== undefined) return rejectedQuietly(abortReason)
      throw new TsgiError('TSGI_APP_ENDED', 'write was called after the response ended')
    }
    if (this.#status === SWITCHED) {
      throw new TsgiError('TSGI_APP_ENDED', "write was called after tsgi.upgrade: the connection is the application's")
    }
    if (!this.#writable) throw new TsgiError('TSGI_APP_WRITE_IN_BODY', 'write was called after the body was returned')
    if (!isBytes(chunk)) throw badChunk(chunk)
    const head = this.#head
    if (head === undefined) throw new TsgiError('TSGI_APP_NOT_STARTED', 'write was called after startResponse failed')
    const allowed = this.#allowedPart(chunk, head)
    // No front server says that the client leaves, and the connection may be another request's: nothing else would end a stream.
    if (!this.#headSent && this.method === 'HEAD') setTimeout(() => this.#owner.unheard(), UNHEARD_MS).unref()
    this.#emit(head, allowed)
    if (allowed.length < chunk.length) {
      const excess = chunk.length - allowed.length
      const message = `write: ${excess} bytes more than the Content-Length of ${head.contentLength}`
      throw new TsgiError('TSGI_APP_TOO_LONG', message)
    }
    return this.#sink.saturated ? quietly(this.#delivered()) : Promise.resolve()
  }

  /** Rejects where there will never be room. */
  async #delivered(): Promise<void> {
    await this.#sink.drained()
    const { abortReason } = this.#owner
    if (abortReason !== undefined) throw abortReason
  }

  /** The application returned. */
  closeWrite(): void {
    this.#writable = false
  }

  /** Declares the length of a body that is a file, where the application did not. */
  declareLength(bytes: number): void {
    const head = this.#head
    if (this.#headSent || head === undefined || head.contentLength !== undefined) return
    this.#head = { ...head, headers: withContentLength(head.headers, bytes), contentLength: bytes }
  }

  /**
   * Only an array has a length that can be trusted: the common response is one write.
   * @returns false where the chunks must be pulled one by one
   */
  sendArray(chunks: readonly unknown[]): boolean {
    const total = totalBytes(chunks)
    if (typeof total !== 'number') {
      this.#owner.failed(total)
      return true
    }
    const head = this.#head
    if (this.#headSent || head === undefined || total > JOIN_BYTES || (head.contentLength ?? total) !== total) {
      this.#knownLength = total
      return false
    }
    const bodyless = isBodyless(this.method, head.code)
    if (bodyless && total > 0) this.#noteDroppedBody(head.code)
    this.#sendHead(head, bodyless || total === 0 ? undefined : joined(chunks, total), true, total)
    this.#owner.completed()
    return true
  }

  take(chunk: Uint8Array): boolean {
    const head = this.#head
    if (head === undefined) {
      this.#owner.failed(notStarted())
      return false
    }
    const allowed = this.#allowedPart(chunk, head)
    if (allowed.length > 0) this.#emit(head, allowed)
    if (this.#bodyless) {
      this.#owner.completed()
      return false
    }
    if (allowed.length === chunk.length) return true
    this.#owner.warn(`the body is longer than its Content-Length of ${head.contentLength}: cut`)
    this.#end(head)
    return false
  }

  /** The body ended by itself. */
  exhausted(): void {
    const head = this.#head
    if (head === undefined) {
      this.#owner.failed(notStarted())
      return
    }
    const bodyless = isBodyless(this.method, head.code)
    if (!bodyless && head.contentLength !== undefined && this.#bytes < head.contentLength) {
      const message = `the body ended after ${this.#bytes} of the ${head.contentLength} bytes of its Content-Length`
      this.#owner.failed(new TsgiError('TSGI_APP_TOO_SHORT', message))
      return
    }
    this.#end(head)
  }

  failed(error: unknown): void {
    this.#owner.failed(error)
  }

  /** A fixed text, no detail: the client never sees what went wrong inside. Only before the head was sent. */
  answer(status: string): void {
    const text = Buffer.from(`${status.slice(4)}\n`, 'latin1')
    const headers: HeaderList = [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['Content-Length', String(text.length)],
    ]
    const head: Head = { status, code: Number(status.slice(0, 3)), headers, contentLength: text.length }
    this.#sendHead(head, this.method === 'HEAD' ? undefined : text, true, undefined)
  }

  /** The application answers by itself from here on (101). */
  handedOver(): void {
    this.#headSent = true
    this.#status = SWITCHED
  }

  #end(head: Head): void {
    if (!this.#headSent) this.#sendHead(head, undefined, true, this.#knownLength)
    else this.#endSink()
    this.#owner.completed()
  }

  #endSink(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#sink.end()
  }

  /** As much of the chunk as Content-Length still allows. */
  #allowedPart(chunk: Uint8Array, head: Head): Uint8Array {
    if (head.contentLength === undefined || isBodyless(this.method, head.code)) return chunk
    const left = head.contentLength - this.#bytes
    return chunk.length <= left ? chunk : chunk.subarray(0, left)
  }

  #emit(head: Head, chunk: Uint8Array): void {
    if (!this.#headSent) {
      const bodyless = isBodyless(this.method, head.code)
      const joins = !bodyless && chunk.length > 0 && chunk.length <= JOIN_BYTES
      const last = bodyless || this.#isLast(head, joins ? chunk.length : 0)
      this.#sendHead(head, joins ? chunk : undefined, last, this.#knownLength)
      if (joins) return
    }
    if (chunk.length === 0) return
    if (this.#bodyless) {
      this.#noteDroppedBody(head.code)
      return
    }
    const last = this.#isLast(head, chunk.length)
    this.#bytes += chunk.length
    this.#sink.chunk(chunk)
    if (last) this.#endSink()
  }

  /**
   * The end goes out with the last byte, not when the application has ended: a front server that has all of it leaves, and that would
   * look like a client who does. Not before the request body is in, for the application may still be reading it.
   */
  #isLast(head: Head, bytes: number): boolean {
    const length = head.contentLength ?? this.#knownLength
    return this.#bytes + bytes === length && this.#sink.bodyComplete === true
  }

  /** @param knownLength bytes of the whole body where they are known and not declared */
  #sendHead(head: Head, chunk: Uint8Array | undefined, last: boolean, knownLength: number | undefined): void {
    this.#headSent = true
    this.#bodyless = isBodyless(this.method, head.code)
    this.#isEnded = last
    this.#status = head.code
    this.#headers = finalHeaders(this.method, head, knownLength)
    if (chunk !== undefined) this.#bytes += chunk.length
    this.#sink.start(statusWithReason(head.status, head.code), this.#headers, chunk, last)
  }

  #noteDroppedBody(code: number): void {
    if (this.method === 'HEAD' || this.#bodyDropped) return
    this.#bodyDropped = true
    this.#owner.warn(`a ${code} has no body: the one returned was dropped`)
  }
}

const notStarted = (): TsgiError =>
  new TsgiError('TSGI_APP_NOT_STARTED', 'the application produced its response without calling startResponse')

/** A write after the client left: nobody has to wait for it, so it must not become an unhandled rejection. */
const rejectedQuietly = (error: unknown): Promise<void> => quietly(Promise.reject<void>(error))

function quietly(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined)
  return promise
}

/** The sum of the chunks, or what is wrong with one of them. */
function totalBytes(chunks: readonly unknown[]): number | TsgiError {
  let total = 0
  for (const chunk of chunks) {
    if (!isBytes(chunk)) return badChunk(chunk)
    total += chunk.length
  }
  return total
}

function joined(chunks: readonly unknown[], total: number): Uint8Array {
  const only = chunks.length === 1 ? chunks[0] : undefined
  return isBytes(only) ? only : Buffer.concat(chunks.filter(isBytes), total)
}
