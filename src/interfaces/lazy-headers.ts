/** The Headers of a request, read from the environ; a real Headers object is made when more than reading is asked. */

import type { Environ } from '../application.ts'
import { variable } from '../gateway/variable.ts'
import { delegate } from './native-fetch.ts'
import { eachHeader, headerVariable } from './request-headers.ts'

/** Names that stand for exactly one variable: an underscore would be taken for a hyphen. */
const PLAIN_NAME = /^[A-Za-z0-9-]+$/
const MAX_REMEMBERED = 1024
const variables = new Map<string, string>()

export class LazyHeaders {
  readonly #environ: Environ
  #native: Headers | undefined = undefined

  constructor(environ: Environ) {
    this.#environ = environ
  }

  get(name: string): string | null {
    if (this.#native !== undefined) return this.#native.get(name)
    const key = variableOf(name)
    if (key === undefined) return this.native().get(name)
    if (key === 'HTTP_TRANSFER_ENCODING' && this.#environ.CONTENT_LENGTH !== undefined) return null
    const value = variable(this.#environ, key)
    return value === undefined ? null : value.trim()
  }

  has(name: string): boolean {
    if (this.#native !== undefined || variableOf(name) === undefined) return this.native().has(name)
    return this.get(name) !== null
  }

  [Symbol.iterator](): ReturnType<Headers['entries']> {
    return this.native().entries()
  }

  native(): Headers {
    if (this.#native === undefined) {
      const headers = new Headers()
      eachHeader(this.#environ, (name, value) => {
        try {
          headers.append(name.lower, value)
        } catch {
          // A control character that the front server let pass: Headers cannot hold it, the environ still does.
        }
      })
      this.#native = headers
    }
    return this.#native
  }
}

function variableOf(name: string): string | undefined {
  const known = variables.get(name)
  if (known !== undefined) return known
  if (typeof name !== 'string' || !PLAIN_NAME.test(name)) return undefined
  const key = headerVariable(name)
  if (variables.size < MAX_REMEMBERED) variables.set(name, key)
  return key
}

delegate(LazyHeaders.prototype, Headers.prototype, (lazy) => lazy.native())
// `instanceof Headers` holds, and so does whatever else asks for the prototype.
Object.setPrototypeOf(LazyHeaders.prototype, Headers.prototype)
