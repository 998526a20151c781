import type { Environ } from '../application.ts'

/**
 * A copy that the caller may change without an outer layer seeing it; about 4 us. `tsgi.signal` stays unmade until it is
 * read.
 */
export function copyEnviron(environ: Environ): Environ {
  let signal: AbortSignal | undefined
  const copy: Record<string, unknown> = {
    __proto__: null,
    get 'tsgi.signal'(): AbortSignal {
      signal ??= environ['tsgi.signal']
      return signal
    },
    set 'tsgi.signal'(replacement: AbortSignal) {
      signal = replacement
    },
  }
  for (const [key, value] of entriesButSignal(environ)) copy[key] = value
  // Every key of an Environ was copied, the signal as the accessor above.
  return copy as unknown as Environ
}

function* entriesButSignal(environ: Environ): Generator<[string, unknown]> {
  for (const key of Object.keys(environ)) {
    if (key !== 'tsgi.signal') yield [key, Reflect.get(environ, key)]
  }
}
