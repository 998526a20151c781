/** The Headers of a request, read from the variables; a real Headers object is made when more than reading is asked. */

import { type InspectOptions, inspect } from 'node:util'
import type { RequestSource } from '../../gateway/request-source.ts'
import { headerVariable, isUnambiguous } from '../../gateway/variable-names.ts'
import { delegate, rememberNative } from './native.ts'

const { Headers } = rememberNative()

const MAX_REMEMBERED = 1024
const keys = new Map<string, string>()

export class LazyHeaders {
  readonly #source: RequestSource
  #native: Headers | undefined = undefined

  constructor(source: RequestSource) {
    this.#source = source
  }

  get(name: string): string | null {
    if (this.#native !== undefined) return this.#native.get(name)
    const key = variableOf(name)
    if (key === undefined) return this.native().get(name)
    const { variables } = this.#source
    if (key === 'HTTP_EXPECT' || (key === 'HTTP_TRANSFER_ENCODING' && variables.contentLength !== undefined))
      return null
    const value = variables.get(key)
    return value === undefined ? null : trimmed(value)
  }

  has(name: string): boolean {
    if (this.#native !== undefined || variableOf(name) === undefined) return this.native().has(name)
    return this.get(name) !== null
  }

  [Symbol.iterator](): ReturnType<Headers['entries']> {
    return this.native().entries()
  }

  /** What `console.log(request)` shows: the one of the prototype wants the private state of a real Headers. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return inspect(this.native(), options)
  }

  /** From now on these are `headers`, which a real Request copied from them: what is set later has to be seen by both. */
  become(headers: Headers): void {
    this.#native = headers
  }

  native(): Headers {
    if (this.#native === undefined) {
      const headers = new Headers()
      this.#source.variables.eachHeader((name, value) => {
        // Who took the body in has answered it. With it `fetch(request)` fails: undici has no way to send one.
        if (name.lower === 'expect') return
        try {
          headers.append(name.lower, value)
        } catch {
          // A control character that the front server let pass: Headers cannot hold it, the variables still do.
        }
      })
      this.#native = headers
    }
    return this.#native
  }
}

/** As Headers does: of the blanks of HTTP only. `trim` would take U+00A0 as well, the second byte of an `à` in UTF-8. */
function trimmed(value: string): string {
  return BLANK_END.test(value) ? value.replace(/^[\t ]+|[\t ]+$/g, '') : value
}

const BLANK_END = /^[\t ]|[\t ]$/

function variableOf(name: string): string | undefined {
  const known = keys.get(name)
  if (known !== undefined) return known
  if (typeof name !== 'string' || !isUnambiguous(name)) return undefined
  const key = headerVariable(name)
  if (keys.size < MAX_REMEMBERED) keys.set(name, key)
  return key
}

delegate(LazyHeaders.prototype, Headers.prototype, (lazy) => lazy.native())
// `instanceof Headers` holds, and so does whatever else asks for the prototype.
Object.setPrototypeOf(LazyHeaders.prototype, Headers.prototype)
Object.defineProperty(LazyHeaders.prototype, 'constructor', { value: Headers, configurable: true, writable: true })
