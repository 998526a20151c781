/** The request body as the application reads it (PEP 3333, "Input and Error Streams"; methods return promises). */

import type { InputStream } from '../application.ts'
import { describe, TsgiError } from '../errors.ts'

/** Held for an application that does not read: about one receive buffer more than this. */
const HIGH_WATER_BYTES = 65_536
const LF = 0x0a
const EMPTY = new Uint8Array(0)

/** One call that waits for its bytes. Calls are served in the order in which they were made. */
interface Pending {
  /** True when the call was answered and leaves the queue. */
  serve(): boolean
  reject(error: unknown): void
  /** Bytes it must see before it can be answered; Infinity for the rest of the body. */
  readonly wants: number
}

/** Where the body comes from. */
interface BodySource {
  /** Told `false` when enough is held, `true` when the application wants more: the socket is paused and resumed by it. */
  flow(wanted: boolean): void
}

/**
 * What is wrong with a body of which only the length has come.
 * @param length CONTENT_LENGTH, digits
 * @param maxBytes 0: no limit
 */
export function lengthError(length: string | undefined, maxBytes: number): TsgiError | undefined {
  if (length === undefined || maxBytes === 0 || Number(length) <= maxBytes) return undefined
  const message = `a request body of ${length} bytes; allowed are ${maxBytes} (--max-body)`
  return new TsgiError('TSGI_PROTOCOL_BODY_TOO_LARGE', message)
}

export class RequestInput implements InputStream {
  readonly #chunks: Uint8Array[] = []
  #buffered = 0
  /** Chunks at the front that were searched for a line's end in vain, and their bytes: a long line is searched once. */
  #searched = 0
  #searchedBytes = 0
  #received = 0
  readonly #maxBytes: number
  #state: 'open' | 'ended' | 'failed' = 'open'
  /** The response is over: nobody is made to wait for a reader any more. */
  #isLate = false
  #failure: unknown
  readonly #queue: Pending[] = []
  readonly #source: BodySource | undefined
  #firstRead: (() => void) | undefined
  #flowing = true

  /** @param maxBytes 0: no limit */
  constructor(maxBytes: number, source?: BodySource) {
    this.#maxBytes = maxBytes
    this.#source = source
  }

  /** Bytes of the body that came while anybody could still read it. */
  get receivedBytes(): number {
    return this.#received
  }

  /** Told once, when the application first asks for a piece of the body. */
  onFirstRead(tell: () => void): void {
    this.#firstRead = tell
  }

  /** @param chunk copied: it stays the caller's */
  push(chunk: Uint8Array): void {
    if (this.#state !== 'open') return
    this.#received += chunk.length
    if (this.#maxBytes > 0 && this.#received > this.#maxBytes) {
      this.fail(new TsgiError('TSGI_INPUT_TOO_LARGE', `the request body passed ${this.#maxBytes} bytes (--max-body)`))
      return
    }
    // Not slice: of a Buffer that is a view, and the transport reads the next request into the same memory.
    this.#chunks.push(new Uint8Array(chunk))
    this.#buffered += chunk.length
    this.#serve()
    if (this.#isLate && this.#queue.length === 0 && this.#buffered > HIGH_WATER_BYTES) this.discard()
  }

  end(): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#serve()
  }

  /** Reads answer with what came before, then reject: a truncated body is never an end. */
  fail(error: unknown): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#failure = error
    this.#serve()
  }

  /**
   * The response is over. Who reads now reads on: what has come is kept, as much as is held for anybody who does not read.
   * @param comes the rest of the body will still be pushed, or its failure told
   */
  responseOver(comes: boolean): void {
    if (this.#state === 'ended') return
    if (!comes) {
      this.discard()
      return
    }
    this.#isLate = true
    this.#setFlow(true)
  }

  /** What was not read is let go, and what comes now is not kept. */
  discard(): void {
    // A body that was whole and not read to its end is cut here too: who still reads must not take that for the end.
    if (this.#state === 'ended' && this.#buffered > 0) this.#state = 'open'
    if (this.#buffered > 0) this.#chunks.length = 0
    this.#buffered = 0
    this.#searched = 0
    this.#searchedBytes = 0
    this.fail(DISCARDED)
    this.#setFlow(true)
  }

  read(size?: number): Promise<Uint8Array> {
    const limit = checkSize(size, 'read')
    return this.#call(limit, () => {
      if (this.#buffered < limit && this.#state === 'open') return undefined
      this.#rejectIfFailed(limit)
      return this.#take(Math.min(limit, this.#buffered))
    })
  }

  readline(size?: number): Promise<Uint8Array> {
    const limit = checkSize(size, 'readline')
    return this.#call(limit, () => this.#takeLine(limit))
  }

  readlines(hint?: number): Promise<Uint8Array[]> {
    const limit = hint === undefined || hint === 0 ? Number.POSITIVE_INFINITY : checkSize(hint, 'readlines')
    const lines: Uint8Array[] = []
    let total = 0
    return this.#call(Number.POSITIVE_INFINITY, () => {
      while (total < limit) {
        const line = this.#takeLine(Number.POSITIVE_INFINITY)
        if (line === undefined) return undefined
        if (line.length === 0) break
        lines.push(line)
        total += line.length
      }
      return lines
    })
  }

  /** Chunks as they arrive, not lines: what every JavaScript stream does. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const value = await this.#call(1, () => {
          if (this.#buffered === 0) {
            if (this.#state === 'open') return undefined
            this.#rejectIfFailed(1)
            return EMPTY
          }
          return this.#take((this.#chunks[0] ?? EMPTY).length)
        })
        return value.length === 0 ? { done: true, value: undefined } : { done: false, value }
      },
      return: async () => ({ done: true, value: undefined }),
    }
  }

  /** @param answer undefined: not yet */
  #call<Answer>(wants: number, answer: () => Answer | undefined): Promise<Answer> {
    if (this.#firstRead !== undefined && wants > 0) {
      const tell = this.#firstRead
      this.#firstRead = undefined
      tell()
    }
    return new Promise((resolve, reject) => {
      const serve = (): boolean => {
        let given: Answer | undefined
        try {
          given = answer()
        } catch (error) {
          reject(error)
          return true
        }
        if (given === undefined) return false
        resolve(given)
        return true
      }
      this.#queue.push({ serve, reject, wants })
      this.#serve()
    })
  }

  #serve(): void {
    while (this.#queue[0]?.serve() === true) this.#queue.shift()
    this.#setFlow(this.#isLate || this.#buffered < HIGH_WATER_BYTES || this.#queue.length > 0)
  }

  #setFlow(wanted: boolean): void {
    if (wanted === this.#flowing) return
    this.#flowing = wanted
    this.#source?.flow(wanted)
  }

  #rejectIfFailed(limit: number): void {
    if (this.#state === 'failed' && this.#buffered < limit)
      throw this.#failure === DISCARDED ? discarded() : this.#failure
  }

  #takeLine(limit: number): Uint8Array | undefined {
    for (let chunk = this.#chunks[this.#searched]; chunk !== undefined; chunk = this.#chunks[this.#searched]) {
      if (this.#searchedBytes >= limit) break
      const at = chunk.indexOf(LF)
      if (at >= 0) return this.#take(Math.min(this.#searchedBytes + at + 1, limit))
      this.#searched++
      this.#searchedBytes += chunk.length
    }
    if (this.#searchedBytes >= limit) return this.#take(limit)
    if (this.#state === 'open') return undefined
    this.#rejectIfFailed(limit)
    return this.#take(this.#searchedBytes)
  }

  /** Exactly `length` bytes, which are there. */
  #take(length: number): Uint8Array {
    const first = this.#chunks[0]
    if (length === 0 || first === undefined) return new Uint8Array(0)
    this.#searched = 0
    this.#searchedBytes = 0
    this.#buffered -= length
    if (first.length === length) {
      this.#chunks.shift()
      return first
    }
    const taken = new Uint8Array(length)
    let at = 0
    let whole = 0
    for (const chunk of this.#chunks) {
      const part = Math.min(chunk.length, length - at)
      taken.set(part === chunk.length ? chunk : chunk.subarray(0, part), at)
      at += part
      if (part < chunk.length) {
        this.#chunks[whole] = chunk.subarray(part)
        break
      }
      whole++
      if (at === length) break
    }
    this.#chunks.splice(0, whole)
    return taken
  }
}

/** Stands for the error until somebody reads: making one, with its stack, for every request costs more than the request. */
const DISCARDED = Symbol('discarded')

const discarded = (): TsgiError =>
  new TsgiError('TSGI_APP_ENDED', 'the response ended before the request body was read')

function checkSize(size: number | undefined, method: string): number {
  if (size === undefined) return Number.POSITIVE_INFINITY
  if (Number.isSafeInteger(size) && size >= 0) return size
  throw new RangeError(`tsgi.input.${method}: the size must be a whole number of bytes, not ${describe(size)}`)
}
