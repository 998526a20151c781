/** What an application may do with the two streams, and what it must get from them (PEP 3333, "Input and Error Streams"). */

import type { ErrorStream, InputStream } from '../application.ts'
import { describe } from '../errors.ts'
import { isBytes } from '../gateway/chunk.ts'
import type { Violations } from './violations.ts'

/** A promise that knows whether anybody waits for it: of a subclass, `await` calls `then` (ECMA-262, PromiseResolve). */
class Reading<T> extends Promise<T> {
  readonly #onAwaited: () => void

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  constructor(value: Promise<T>, onAwaited: () => void) {
    super((resolve) => resolve(value))
    this.#onAwaited = onAwaited
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise
  override then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    this.#onAwaited()
    return super.then(onFulfilled, onRejected)
  }
}

/** What an application has read, as far as it does not wait for it. */
export class Readings {
  readonly #unawaited = new Map<Promise<unknown>, string>()

  /** Methods whose promise nobody has waited for so far; one entry a call. */
  get unawaited(): Iterable<string> {
    return this.#unawaited.values()
  }

  /** The same promise for whoever waits for it. */
  watch<T>(method: string, value: Promise<T>): Promise<T> {
    const reading = new Reading(value, () => this.#unawaited.delete(reading))
    this.#unawaited.set(reading, method)
    return reading
  }
}

/** @param isOver the response has ended: the body must not be read any more */
export function checkedInput(
  input: InputStream,
  violations: Violations,
  isOver: () => boolean,
  readings: Readings,
): InputStream {
  const before = (method: string, args: readonly unknown[]) => {
    if (isOver()) violations.report(`tsgi.input.${method} was called after the response had ended`)
    if (args.length > 1) violations.report(`tsgi.input.${method} takes one argument at most, not ${args.length}`)
    const [size] = args
    if (size !== undefined && !(typeof size === 'number' && Number.isInteger(size) && size >= 0)) {
      violations.report(`tsgi.input.${method} takes a whole number of bytes from 0, not ${describe(size)}`)
    }
  }
  const bytes = (method: string, value: Uint8Array): Uint8Array => {
    if (!isBytes(value)) violations.report(`tsgi.input.${method} gave ${describe(value)}, not a Uint8Array`)
    return value
  }
  const read = async (...args: [size?: number]) => {
    before('read', args)
    return bytes('read', await input.read(...args))
  }
  const readline = async (...args: [size?: number]) => {
    before('readline', args)
    return bytes('readline', await input.readline(...args))
  }
  const readlines = async (...args: [hint?: number]) => {
    before('readlines', args)
    return (await input.readlines(...args)).map((line) => bytes('readlines', line))
  }
  return {
    read: (...args) => readings.watch('read', read(...args)),
    readline: (...args) => readings.watch('readline', readline(...args)),
    readlines: (...args) => readings.watch('readlines', readlines(...args)),
    async *[Symbol.asyncIterator]() {
      before('[Symbol.asyncIterator]', [])
      for await (const chunk of input) yield bytes('[Symbol.asyncIterator]', chunk)
    },
  }
}

export function checkedErrors(errors: ErrorStream, violations: Violations): ErrorStream {
  const isText = (method: string, value: unknown) => {
    if (typeof value !== 'string') violations.report(`tsgi.errors.${method} takes strings, not ${describe(value)}`)
  }
  return {
    write(...args: [string: string]) {
      if (args.length !== 1) violations.report(`tsgi.errors.write takes one argument, not ${args.length}`)
      isText('write', args[0])
      errors.write(...args)
    },
    writelines(lines) {
      const all = [...lines]
      for (const line of all) isText('writelines', line)
      errors.writelines(all)
    },
    flush: () => errors.flush(),
  }
}
