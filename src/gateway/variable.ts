import type { Environ } from '../application.ts'

/**
 * A variable whose name is computed (a header's, an operator's format string). Undefined where it is absent or no string:
 * keys such as `tsgi.input` hold objects.
 */
export function variable(environ: Environ, name: string): string | undefined {
  // Environ's keys are patterns that a computed name cannot be shown to match; what is read is checked below.
  const value = (environ as unknown as Readonly<Record<string, unknown>>)[name]
  return typeof value === 'string' ? value : undefined
}
