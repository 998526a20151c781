import type { Environ } from '../application.ts'
import { defineSignal } from '../gateway/environ.ts'

/**
 * A copy that the caller may change without an outer layer seeing it; about 4 us. `tsgi.signal` stays unmade until it is
 * read.
 */
export function copyEnviron(environ: Environ): Environ {
  const copy: Record<string, unknown> & { __proto__?: null } = { __proto__: null }
  for (const key of Object.keys(environ)) {
    if (key === 'tsgi.signal') defineSignal(copy, { signal: () => environ['tsgi.signal'] })
    else copy[key] = Reflect.get(environ, key)
  }
  // Every key of an Environ was copied.
  return copy as unknown as Environ
}
