/** Puts tsgi's Request and Response where applications look for them; before the application is loaded. */

import { LazyRequest } from './lazy-request.ts'
import { LazyResponse } from './lazy-response.ts'
import { NativeRequest, NativeResponse, nativeFetch, standInFor } from './native.ts'

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
 * never turned into a stream and back. Applications that kept the platform's classes are served as well, only slower.
 */
export function prepareFetchGlobals(): void {
  if (globalThis.Response !== NativeResponse) return
  define('Request', GatewayRequest, NativeRequest.name)
  define('Response', LazyResponse, NativeResponse.name)
  define(
    'fetch',
    (input: Parameters<typeof nativeFetch>[0], init?: RequestInit) => {
      return nativeFetch(LazyRequest.unwrap(input), init)
    },
    'fetch',
  )
}

function define(key: 'Request' | 'Response' | 'fetch', value: object, name: string): void {
  Object.defineProperty(value, 'name', { value: name, configurable: true })
  Object.defineProperty(globalThis, key, { value, writable: true, configurable: true, enumerable: false })
}
