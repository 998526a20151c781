/**
 * Pulls a returned body chunk by chunk: one pull outstanding at most, and none while the transport is above its
 * high-water mark (PEP 3333, "Buffering and Streaming").
 */

import { describe, TsgiError } from '../errors.ts'
import { isBytes } from './chunk.ts'
import { type Closing, closeBody } from './close-body.ts'

/** Who takes the chunks. Each of the first three ends the pulling by returning false, or by being the last. */
export interface ChunkTaker {
  /** @returns false when no more is wanted */
  take(chunk: Uint8Array): boolean
  exhausted(): void
  failed(error: unknown): void
  /** The response is over for another reason: pull no more. */
  readonly ended: boolean
  readonly saturated: boolean
  drained(): Promise<void>
}

/** A body that never waits, be it an async one whose promises are settled already, still lets other requests have the loop. */
const CHUNKS_PER_TURN = 64

export class BodyPull {
  readonly #body: unknown
  readonly #taker: ChunkTaker
  #iterator: Iterator<unknown> | AsyncIterator<unknown> | undefined
  #done = false

  constructor(body: unknown, taker: ChunkTaker) {
    this.#body = body
    this.#taker = taker
  }

  start(): void {
    let opened: Opened | undefined
    try {
      opened = open(this.#body)
    } catch (error) {
      this.#taker.failed(error)
      return
    }
    if (opened === undefined) {
      const message = `the application must return an iterable of Uint8Array, not ${describe(this.#body)}`
      this.#taker.failed(new TsgiError('TSGI_APP_BAD_BODY', message))
      return
    }
    this.#iterator = opened.iterator
    if (opened.kind === 'sync') this.#pull(opened.iterator)
    else void this.#pullAsync(opened.iterator)
  }

  /** @returns undefined where everything was closed at once */
  close(closing: Closing): Promise<void> | undefined {
    return closeBody(this.#body, this.#iterator, this.#done, closing)
  }

  #pull(iterator: Iterator<unknown>): void {
    for (let pulled = 0; pulled < CHUNKS_PER_TURN; pulled++) {
      if (this.#taker.ended) return
      try {
        // Also what `next` returns may be no result at all: reading it throws.
        if (!this.#handle(iterator.next())) return
      } catch (error) {
        this.#done = true
        this.#taker.failed(error)
        return
      }
      if (this.#taker.saturated) {
        void this.#taker.drained().then(() => this.#pull(iterator))
        return
      }
    }
    setImmediate(() => this.#pull(iterator))
  }

  async #pullAsync(iterator: AsyncIterator<unknown>): Promise<void> {
    try {
      for (let pulled = 1; !this.#taker.ended; pulled++) {
        const step = await iterator.next()
        if (this.#taker.ended || !this.#handle(step)) return
        if (this.#taker.saturated) await this.#taker.drained()
        if (pulled % CHUNKS_PER_TURN === 0) await nextTurn()
      }
    } catch (error) {
      this.#done = true
      this.#taker.failed(error)
    }
  }

  /** @returns false when the pulling is over */
  #handle(step: IteratorResult<unknown>): boolean {
    if (step.done === true) {
      this.#done = true
      this.#taker.exhausted()
      return false
    }
    const chunk: unknown = step.value
    if (isBytes(chunk)) return chunk.length === 0 || this.#taker.take(chunk)
    this.#taker.failed(badChunk(chunk))
    return false
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type Opened =
  | { readonly kind: 'sync'; readonly iterator: Iterator<unknown> }
  | { readonly kind: 'async'; readonly iterator: AsyncIterator<unknown> }

function open(body: unknown): Opened | undefined {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body)) return undefined
  if (isAsyncIterable(body)) return { kind: 'async', iterator: body[Symbol.asyncIterator]() }
  if (isIterable(body)) return { kind: 'sync', iterator: body[Symbol.iterator]() }
  return undefined
}

const isAsyncIterable = (body: object): body is AsyncIterable<unknown> =>
  Symbol.asyncIterator in body && typeof body[Symbol.asyncIterator] === 'function'

const isIterable = (body: object): body is Iterable<unknown> =>
  Symbol.iterator in body && typeof body[Symbol.iterator] === 'function'

export const badChunk = (chunk: unknown): TsgiError =>
  new TsgiError('TSGI_APP_BAD_CHUNK', `a chunk of the response must be a Uint8Array, not ${describe(chunk)}`)
