/**
 * An error as plain data, with the fields of pino's own serializer. That one throws where a property of the error does, follows
 * causes without end and copies whatever hangs on them: a line that cannot be written would end the process.
 */

import { asError, describe, isError } from '../errors.ts'
import { authorStack } from './author-stack.ts'

const MAX_CAUSES = 10
/** What hangs on an error may be half of the application. */
const MAX_DEPTH = 5
const MAX_CHARACTERS = 262_144
const MAX_TEXT_CHARACTERS = 32_768

const UNREADABLE = '[unreadable]'
const MORE = '…'

type Fields = Readonly<Record<string, unknown>>

/** @returns what can be written as JSON, whatever was thrown */
export function errorFields(thrown: unknown): Fields {
  return new Copy().error(asError(thrown))
}

/** One copy while it is made. */
class Copy {
  #left = MAX_CHARACTERS
  /** What is being copied, the outermost first. */
  readonly #within: object[] = []

  error(error: object): Fields {
    const { message, stack } = this.#withCauses(error)
    const fields = { type: typeOf(error), message, stack: authorStack(stack, error) }
    this.#within.push(error)
    const errors = read(error, 'errors')
    const several = isArray(errors) ? { aggregateErrors: this.#elements(errors) } : {}
    const isTold = (key: string): boolean =>
      Object.hasOwn(fields, key) || (key === 'cause' && isErrorLike(read(error, key)))
    const others = this.#entries(error, (key) => !isTold(key))
    this.#within.pop()
    return { ...fields, ...several, ...others }
  }

  /** What an operator reads: `not saved: no connection`, and the stacks of both. */
  #withCauses(error: object): { readonly message: string; readonly stack: string } {
    let message = this.#text(read(error, 'message'))
    const stacks = [this.#text(read(error, 'stack'))]
    const seen = [error]
    for (let at = error; seen.length <= MAX_CAUSES; ) {
      const cause = read(at, 'cause')
      // Those of VError are methods, and its message has theirs in it.
      const isMethod = typeof cause === 'function'
      const next = isMethod ? guarded(() => Reflect.apply(cause, at, [])) : cause
      if (!isErrorLike(next) || seen.includes(next)) break
      if (!isMethod) message += `: ${this.#text(read(next, 'message'))}`
      stacks.push(this.#text(read(next, 'stack')))
      seen.push(next)
      at = next
    }
    return { message, stack: stacks.join('\ncaused by: ') }
  }

  #value(value: unknown): unknown {
    this.#left -= 1
    if (typeof value === 'string' || typeof value === 'bigint') return this.#text(String(value))
    if (typeof value !== 'object' || value === null) return value
    if (this.#within.includes(value)) return '[Circular]'
    if (this.#within.length > MAX_DEPTH) return '[Object]'
    // JSON has each of its bytes as a number.
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if (isErrorLike(value)) return this.error(value)
    this.#within.push(value)
    const copy = this.#plain(inJson(value))
    this.#within.pop()
    return copy
  }

  #plain(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return this.#value(value)
    return isArray(value) ? this.#elements(value) : this.#entries(value, (key) => Object.hasOwn(value, key))
  }

  #elements(values: readonly unknown[]): readonly unknown[] {
    const elements: unknown[] = []
    const length = read(values, 'length')
    for (let index = 0; typeof length === 'number' && index < length; index += 1) {
      if (this.#left <= 0) return [...elements, MORE]
      elements.push(this.#value(read(values, index)))
    }
    return elements
  }

  /** Of what for-in finds: what the class of an error has, too. */
  #entries(target: object, isWanted: (key: string) => boolean): Fields {
    const entries: [string, unknown][] = []
    try {
      for (const key in target) {
        if (!isWanted(key)) continue
        entries.push([key, this.#left <= 0 ? MORE : this.#value(read(target, key))])
        if (this.#left <= 0) break
        this.#left -= key.length
      }
    } catch {
      // A Proxy that does not tell its keys.
      entries.push([UNREADABLE, true])
    }
    // Takes `__proto__` as a name like any other, unlike an assignment.
    return Object.fromEntries(entries)
  }

  #text(value: unknown): string {
    const whole = typeof value === 'string' ? value : value === undefined ? '' : describe(value)
    const room = Math.max(0, Math.min(this.#left, MAX_TEXT_CHARACTERS))
    this.#left -= whole.length
    return whole.length > room ? `${whole.slice(0, room)}${MORE}` : whole
  }
}

function typeOf(error: object): string {
  const made = read(error, 'constructor')
  const name = read(typeof made === 'function' ? made : error, 'name')
  return typeof name === 'string' ? name : describe(name)
}

/** Of another realm too, and what only looks like one. */
function isErrorLike(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return isError(value) || typeof guarded(() => Reflect.get(value, 'message')) === 'string'
}

/** As JSON.stringify asks for it. */
function inJson(value: object): unknown {
  const toJson = read(value, 'toJSON')
  if (typeof toJson !== 'function') return value
  try {
    return Reflect.apply(toJson, value, [])
  } catch {
    // A date that is none, for one.
    return UNREADABLE
  }
}

const isArray = (value: unknown): value is readonly unknown[] => guarded(() => Array.isArray(value)) === true

function read(target: object, key: PropertyKey): unknown {
  try {
    return Reflect.get(target, key)
  } catch {
    // An accessor, or a Proxy.
    return UNREADABLE
  }
}

function guarded<Result>(look: () => Result): Result | undefined {
  try {
    return look()
  } catch {
    // A Proxy, or a method of the application's.
    return undefined
  }
}
