/** The closing protocol of a returned body: in order, once, and with a limit on how long it may take. */

import { isPromiseLike } from './promise-like.ts'

export interface Closing {
  /** 0: no limit */
  readonly closeTimeoutMs: number
  /** An error thrown while closing, or a step that was abandoned: logged, and of no effect on the response. */
  closingFailed(error: unknown): void
}

type Step = () => unknown

/**
 * `iterator.return()` where an iterator was taken and is not done, then the first that exists of `close`,
 * `[Symbol.asyncDispose]`, `[Symbol.dispose]`, `destroy`, `cancel` (the last only where nothing was iterated).
 * @returns undefined where all was done at once, so that the common case waits for nothing
 */
export function closeBody(
  body: unknown,
  iterator: object | undefined,
  done: boolean,
  closing: Closing,
): Promise<void> | undefined {
  let stop: Step | undefined
  let closer: Step | undefined
  try {
    if (iterator !== undefined && !done) stop = methodOf(iterator, 'return')
    closer = closerOf(body, iterator !== undefined)
  } catch (error) {
    // An accessor that throws is like a method that does.
    closing.closingFailed(error)
  }
  if (stop === undefined && closer === undefined) return undefined
  return runSteps([stop, closer], closing)
}

function closerOf(body: unknown, iterated: boolean): Step | undefined {
  if (typeof body !== 'object' || body === null || isPlainArray(body)) return undefined
  return (
    methodOf(body, 'close') ??
    methodOf(body, Symbol.asyncDispose) ??
    methodOf(body, Symbol.dispose) ??
    methodOf(body, 'destroy') ??
    (iterated ? undefined : methodOf(body, 'cancel'))
  )
}

/** The common body, which has nothing to close: constant names on a known shape cost less than looking each method up. */
function isPlainArray(body: object): boolean {
  if (!Array.isArray(body) || Object.getPrototypeOf(body) !== Array.prototype) return false
  return !(
    'close' in body ||
    Symbol.asyncDispose in body ||
    Symbol.dispose in body ||
    'destroy' in body ||
    'cancel' in body
  )
}

function methodOf(target: object, name: PropertyKey): Step | undefined {
  const method: unknown = Reflect.get(target, name)
  if (typeof method !== 'function' || RETURNS_AGAIN.has(method)) return undefined
  return () => Reflect.apply(method, target, [])
}

/**
 * The disposers that every generator has from Node 24 on call its `return`, which has been called already: one that hangs
 * would be waited for twice, and one that is done once more for nothing.
 */
const RETURNS_AGAIN: ReadonlySet<unknown> = new Set<unknown>([
  Reflect.get([].values(), Symbol.dispose),
  Reflect.get(asyncOnes(), Symbol.asyncDispose),
])

async function* asyncOnes(): AsyncGenerator<number> {
  yield 1
}

function runSteps(steps: readonly (Step | undefined)[], closing: Closing): Promise<void> | undefined {
  for (const [index, step] of steps.entries()) {
    try {
      const result = step?.()
      if (isPromiseLike(result)) {
        return settle(result, closing).then(() => runSteps(steps.slice(index + 1), closing))
      }
    } catch (error) {
      closing.closingFailed(error)
    }
  }
  return undefined
}

async function settle(step: PromiseLike<unknown>, closing: Closing): Promise<void> {
  const { closeTimeoutMs } = closing
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    if (closeTimeoutMs === 0) return
    timer = setTimeout(() => {
      closing.closingFailed(new Error(`a response body did not close within ${closeTimeoutMs} ms and was abandoned`))
      resolve()
    }, closeTimeoutMs)
  })
  try {
    await Promise.race([step, limit])
  } catch (error) {
    closing.closingFailed(error)
  } finally {
    clearTimeout(timer)
  }
}
