/** Puts tsgi's Request and Response where applications look for them; before the application is loaded. */

import { LazyRequest } from './lazy-request.ts'
import { LazyResponse } from './lazy-response.ts'
import { rememberNative, standInFor } from './native.ts'

const { Request: NativeRequest, Response: NativeResponse, fetch: nativeFetch } = rememberNative()

/** `new Request(request)` and `fetch(request)` must accept ours, which only look like the platform's. */
class GatewayRequest extends NativeRequest {
  constructor(...[input, init]: ConstructorParameters<typeof NativeRequest>) {
    super(LazyRequest.unwrap(input), init)
  }
}

standInFor(GatewayRequest, NativeRequest)
Object.defineProperty(LazyRequest.prototype, 'constructor', {
  value: GatewayRequest,
  configurable: true,
  writable: true,
})

/**
 * Replaces globalThis.Request, Response and fetch by ones that know tsgi's own objects: a Response made of a string is then
 * never turned into a stream and back. What the application has put in their place stays. Applications that kept the
 * platform's classes are served as well, only slower.
 */
export function prepareFetchGlobals(): void {
  replace('Request', NativeRequest, GatewayRequest)
  replace('Response', NativeResponse, LazyResponse)
  replace('fetch', nativeFetch, (input: Parameters<typeof nativeFetch>[0], init?: RequestInit) => {
    return nativeFetch(LazyRequest.unwrap(input), init)
  })
}

type Replaced = (...parameters: never[]) => unknown
type ReplacedClass = abstract new (...parameters: never[]) => object

function replace(
  key: 'Request' | 'Response' | 'fetch',
  native: Replaced | ReplacedClass,
  value: Replaced | ReplacedClass,
): void {
  if (globalThis[key] !== native) return
  Object.defineProperty(value, 'name', { value: native.name, configurable: true })
  Object.defineProperty(globalThis, key, { value, writable: true, configurable: true, enumerable: false })
}
