/**
 * The platform's own Request, Response, Headers and fetch, whatever globalThis says by now. Kept under a registered symbol:
 * two copies of tsgi in one process must not take each other's classes for the platform's.
 */

const NATIVE: unique symbol = Symbol.for('tsgi.native-fetch')

interface NativeFetch {
  readonly Request: typeof globalThis.Request
  readonly Response: typeof globalThis.Response
  readonly Headers: typeof globalThis.Headers
  readonly fetch: typeof globalThis.fetch
}

/**
 * To be called before the application is loaded, which may put its own in their place. Nothing is read yet: behind these
 * globals Node has getters that load its whole HTTP client, and most applications never ask.
 */
export function rememberNative(): NativeFetch {
  const found: unknown = Reflect.get(globalThis, NATIVE)
  // Written by this function, in this copy of tsgi or in another one.
  if (found !== undefined) return found as NativeFetch
  const request = keep('Request')
  const response = keep('Response')
  const headers = keep('Headers')
  const { fetch } = globalThis
  const native: NativeFetch = {
    get Request() {
      return request()
    },
    get Response() {
      return response()
    },
    get Headers() {
      return headers()
    },
    fetch,
  }
  Object.defineProperty(globalThis, NATIVE, { value: native })
  return native
}

function keep<Key extends 'Request' | 'Response' | 'Headers'>(key: Key): () => (typeof globalThis)[Key] {
  const get = Object.getOwnPropertyDescriptor(globalThis, key)?.get
  if (get === undefined) {
    const value = globalThis[key]
    return () => value
  }
  return () => {
    const replacement = Object.getOwnPropertyDescriptor(globalThis, key)
    // It puts what it gives in its own place (lib/internal/util.js, defineLazyProperties).
    const value: (typeof globalThis)[Key] = Reflect.apply(get, globalThis, [])
    if (replacement === undefined) Reflect.deleteProperty(globalThis, key)
    else if (replacement.get !== get) Object.defineProperty(globalThis, key, replacement)
    return value
  }
}

/**
 * Gives `target` every getter and method of `source` that it lacks, each applied to what `materialise` makes of `this`:
 * members that later versions of the platform add work without being listed here. Those that both have are enumerable as there.
 */
export function delegate<Lazy extends object>(target: Lazy, source: object, materialise: (lazy: Lazy) => object): void {
  for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(source))) {
    if (Object.hasOwn(target, key)) {
      // Those of a class are not; the platform's are, for who copies with `for ... in`.
      Object.defineProperty(target, key, { enumerable: descriptor.enumerable === true })
      continue
    }
    const value: unknown = descriptor.value
    if (descriptor.get !== undefined) {
      const get = function (this: Lazy): unknown {
        return Reflect.get(materialise(this), key)
      }
      Object.defineProperty(target, key, { get, enumerable: true, configurable: true })
    } else if (typeof value === 'function') {
      const call = function (this: Lazy, ...parameters: unknown[]): unknown {
        return Reflect.apply(value, materialise(this), parameters)
      }
      Object.defineProperty(target, key, { value: call, enumerable: true, configurable: true, writable: true })
    }
  }
}

type Class = abstract new (...parameters: never[]) => object

/** `instanceof` of `ours` is that of `native`, which covers both; a class derived from ours stands for its own instances. */
export function standInFor(ours: Class, native: Class): void {
  const hasInstance = function (this: unknown, value: unknown): boolean {
    return this === ours ? value instanceof native : Function.prototype[Symbol.hasInstance].call(this, value)
  }
  Object.defineProperty(ours, Symbol.hasInstance, { value: hasInstance, configurable: true })
}
