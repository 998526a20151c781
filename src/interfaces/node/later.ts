/**
 * What an exchange returns where the response comes later: a PromiseLike whose taker is called at once, within the turn that
 * completes the response. A Promise asks for a microtask, two closures that settle it and a second Promise for its taker, and an
 * application that answers from a promise of its own has paid for all that once.
 */

import { isPromiseLike } from '../../gateway/promise-like.ts'

type Settled<Value> = { readonly value: Value } | { readonly error: unknown }
type Taker<Value> = (settled: Settled<Value>) => void

export class Later<Value> implements PromiseLike<Value> {
  #settled: Settled<Value> | undefined = undefined
  /** The gateway; more only where middleware asks twice. */
  #taker: Taker<Value> | undefined = undefined
  #others: Taker<Value>[] | undefined = undefined
  /** Stands for a failure that nobody has asked for yet: Node reports it if nobody does. */
  #unhandled: Promise<never> | undefined = undefined

  resolve(value: Value): void {
    this.#settle({ value })
  }

  reject(error: unknown): void {
    this.#settle({ error })
  }

  // biome-ignore lint/suspicious/noThenProperty: to be a PromiseLike is what this class is for
  then<Result1 = Value, Result2 = never>(
    onFulfilled?: ((value: Value) => Result1 | PromiseLike<Result1>) | null,
    onRejected?: ((error: unknown) => Result2 | PromiseLike<Result2>) | null,
  ): PromiseLike<Result1 | Result2> {
    const next = new Later<Result1 | Result2>()
    const taker: Taker<Value> = (settled) => {
      try {
        if ('value' in settled) {
          // Without a callback the types of both are the same, which a condition cannot tell the compiler.
          next.#follow(onFulfilled ? onFulfilled(settled.value) : (settled.value as unknown as Result1))
        } else if (onRejected) next.#follow(onRejected(settled.error))
        else next.#settle(settled)
      } catch (error) {
        next.#settle({ error })
      }
    }
    this.#unhandled?.catch(() => undefined)
    if (this.#settled !== undefined) taker(this.#settled)
    else if (this.#taker === undefined) this.#taker = taker
    else {
      this.#others ??= []
      this.#others.push(taker)
    }
    return next
  }

  #follow(value: Value | PromiseLike<Value>): void {
    if (!isPromiseLike(value)) this.resolve(value)
    else
      value.then(
        (followed) => this.resolve(followed),
        (error: unknown) => this.reject(error),
      )
  }

  #settle(settled: Settled<Value>): void {
    if (this.#settled !== undefined) return
    this.#settled = settled
    if (this.#taker === undefined && 'error' in settled) this.#unhandled = Promise.reject(settled.error)
    this.#taker?.(settled)
    if (this.#others !== undefined) for (const taker of this.#others) taker(settled)
  }
}
