/** What an application returns, and how the server treats it (PEP 3333, "The Server/Gateway Side"). */

import type { Body } from '../application.ts'
import { describe } from '../errors.ts'
import { isBytes } from '../gateway/chunk.ts'
import { closeBody } from './body.ts'
import type { ResponseState } from './validate-response.ts'
import type { Violations } from './violations.ts'

/** Counted by the checks of a middleware. */
export interface BodyWatch {
  pulls: number
  closed: boolean
  onPull?: () => void
}

/**
 * The body with checks around it. What the server looks at stays as it is: an array is the same array, a file body the same
 * object.
 * @param isFileBody made by `tsgi.file_wrapper`
 */
export function checkedBody(
  body: unknown,
  state: ResponseState,
  violations: Violations,
  watch: BodyWatch,
  isFileBody: (body: object) => boolean,
): Body {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) {
    violations.report(`the application returned ${describe(body)}, not an iterable of Uint8Array`)
    return asReturned(body)
  }
  if (isFileBody(body)) {
    if (!state.started) violations.report('a file body was returned before startResponse was called')
    // Nothing stands around it: who closes it is not seen.
    watch.closed = true
    return asReturned(body)
  }
  if (Array.isArray(body)) {
    for (const chunk of body) checkChunk(chunk, state, violations)
    state.finish()
    watch.closed = true
    return body
  }
  if (Symbol.asyncIterator in body || Symbol.iterator in body)
    return new CheckedBody(asReturned(body), state, violations, watch).body
  violations.report(`the application returned ${describe(body)}, which is not iterable`)
  return asReturned(body)
}

/** What the application returned goes on to the server as it is, wrong or right: finding fault is the server's part, too. */
function asReturned(body: unknown): Body {
  return body as Body
}

function checkChunk(chunk: unknown, state: ResponseState, violations: Violations): chunk is Uint8Array {
  if (!isBytes(chunk)) {
    const hint = chunk instanceof Promise ? '; for values that must be waited for there are async generators' : ''
    violations.report(`a chunk is ${describe(chunk)}, not a Uint8Array${hint}`)
    return false
  }
  state.countChunk(chunk)
  return true
}

class CheckedBody {
  readonly body: Body
  readonly #inner: Body
  readonly #state: ResponseState
  readonly #violations: Violations
  readonly #watch: BodyWatch
  #iterated = false
  #pulling = false
  #done = false
  #last: { readonly chunk: Uint8Array; readonly sum: number } | undefined

  constructor(inner: Body, state: ResponseState, violations: Violations, watch: BodyWatch) {
    this.#inner = inner
    this.#state = state
    this.#violations = violations
    this.#watch = watch
    const close = () => this.#close()
    this.body = Symbol.asyncIterator in inner ? this.#async(inner, close) : this.#sync(inner, close)
  }

  #sync(inner: Iterable<Uint8Array>, close: () => Promise<void>): Body {
    const body = {
      [Symbol.iterator]: (): Iterator<Uint8Array> => {
        this.#open()
        const iterator = inner[Symbol.iterator]()
        return {
          next: () => {
            this.#before()
            try {
              return this.#after(iterator.next())
            } catch (error) {
              this.#state.failed = true
              throw error
            } finally {
              this.#pulling = false
            }
          },
          return: () => iterator.return?.() ?? { done: true, value: undefined },
        }
      },
      close,
    }
    return body
  }

  #async(inner: AsyncIterable<Uint8Array>, close: () => Promise<void>): Body {
    const body = {
      [Symbol.asyncIterator]: (): AsyncIterator<Uint8Array> => {
        this.#open()
        const iterator = inner[Symbol.asyncIterator]()
        return {
          next: async () => {
            this.#before()
            try {
              return this.#after(await iterator.next())
            } catch (error) {
              this.#state.failed = true
              throw error
            } finally {
              this.#pulling = false
            }
          },
          return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
        }
      },
      close,
    }
    return body
  }

  #open(): void {
    if (this.#iterated) this.#violations.report('the body was iterated twice')
    this.#iterated = true
  }

  #before(): void {
    this.#watch.pulls += 1
    this.#watch.onPull?.()
    if (this.#watch.closed) this.#violations.report('the body was asked for a chunk after it was closed')
    if (this.#done) this.#violations.report('the body was asked for a chunk after its end')
    if (this.#pulling) this.#violations.report('the body was asked for a chunk before the last one had come')
    this.#pulling = true
  }

  #after(step: IteratorResult<Uint8Array>): IteratorResult<Uint8Array> {
    this.#checkLast()
    if (step.done === true) {
      this.#done = true
      this.#state.finish()
    } else if (checkChunk(step.value, this.#state, this.#violations)) {
      this.#last = { chunk: step.value, sum: checksum(step.value) }
    }
    return step
  }

  /** A chunk belongs to the server once it was yielded: it may still be on its way out. */
  #checkLast(): void {
    const last = this.#last
    this.#last = undefined
    if (last !== undefined && checksum(last.chunk) !== last.sum) {
      this.#violations.report('a chunk was changed, or its memory transferred, after it was yielded')
    }
  }

  async #close(): Promise<void> {
    if (this.#watch.closed) this.#violations.report('the body was closed twice')
    this.#watch.closed = true
    await closeBody(this.#inner, { iterated: this.#iterated })
  }
}

/** Of a sample: this runs for every chunk. */
function checksum(chunk: Uint8Array): number {
  let sum = chunk.length
  const step = Math.max(1, Math.floor(chunk.length / 64))
  for (let index = 0; index < chunk.length; index += step) sum = (Math.imul(sum, 31) + (chunk[index] ?? 0)) | 0
  return sum
}
