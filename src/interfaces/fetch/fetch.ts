/** `{ fetch(request, env, ctx) }` as a Handler. */

import type { Environ } from '../../application.ts'
import { lazyProperty } from '../../gateway/lazy-property.ts'
import { plainAnswer } from '../../gateway/plain-answer.ts'
import { isPromiseLike } from '../../gateway/promise-like.ts'
import type { Handler, RequestSource } from '../../gateway/request-source.ts'
import { LazyRequest } from './lazy-request.ts'
import { sendResponse } from './response.ts'

/** The second argument: what Hono shows as `c.env`. */
export interface FetchEnv {
  /** Everything the front server said about the request. */
  readonly environ: Environ
}

/** The third argument. */
export interface FetchContext {
  readonly environ: Environ
  /** The request is over only when `promise` is: it keeps a draining worker alive, and does not delay the client. */
  waitUntil(promise: PromiseLike<unknown>): void
  /** There is nothing to pass through to: kept because handlers written for edge platforms call it. */
  passThroughOnException(): void
  /** Always empty: here because the context of edge platforms has it, and with that the types of handlers written for them. */
  readonly props: Readonly<Record<string, never>>
}

export type FetchHandler = (request: Request, env: FetchEnv, context: FetchContext) => Response | PromiseLike<Response>

export interface FetchObject {
  fetch: FetchHandler
}

/** The platform's Request cannot be made for these (Fetch standard, "forbidden method"); TRACE is only read. */
const REFUSED_METHODS = new Set(['CONNECT', 'TRACK'])

export function handlerOfFetch(exported: FetchHandler | FetchObject): Handler {
  const handle: FetchHandler =
    typeof exported === 'function' ? exported : (request, env, context) => exported.fetch(request, env, context)
  return (source, startResponse) => {
    if (REFUSED_METHODS.has(source.variables.method)) return plainAnswer(startResponse, '405 Method Not Allowed')
    // Its prototype chain is that of Request, and every member of Request is there.
    const request = new LazyRequest(source) as unknown as Request
    const response: unknown = handle(request, new Env(source), new Context(source))
    if (isPromiseLike(response))
      return Promise.resolve(response).then((settled) => sendResponse(settled, source, startResponse))
    return sendResponse(response, source, startResponse)
  }
}

/** Where they keep it: a private member would be out of reach behind a Proxy, or an object that inherits. */
const SOURCE = Symbol('tsgi.source')
const ENVIRON = lazyProperty('environ', (env: { readonly [SOURCE]: RequestSource }) => env[SOURCE].environ)

/** Applications spread it into what they add to it: `environ` is a property of its own. */
class Env implements FetchEnv {
  readonly [SOURCE]: RequestSource
  declare readonly environ: Environ

  constructor(source: RequestSource) {
    this[SOURCE] = source
    Object.defineProperty(this, 'environ', ENVIRON)
  }
}

const NO_PROPS = Object.freeze({})

class Context implements FetchContext {
  readonly [SOURCE]: RequestSource

  constructor(source: RequestSource) {
    this[SOURCE] = source
  }

  get environ(): Environ {
    return this[SOURCE].environ
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    // Looked at now, so that a rejection before the response is over is not an unhandled one; the gateway logs it then.
    const settled = Promise.resolve(promise).then(
      () => ({ error: undefined }),
      (error: unknown) => ({ error: error ?? new Error('a promise given to waitUntil was rejected with nothing') }),
    )
    this[SOURCE].after(async () => {
      const { error } = await settled
      if (error !== undefined) throw error
    })
  }

  get props(): Readonly<Record<string, never>> {
    return NO_PROPS
  }

  passThroughOnException(): void {
    // Nothing to do: see the interface.
  }
}
