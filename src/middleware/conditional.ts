/** Conditional and range requests (RFC 9110 sections 13 and 14) for a representation that is a file; pure. */

import type { Environ } from '../application.ts'
import { variable } from '../gateway/variable.ts'

export interface Validators {
  /** With its quotes; weak with `W/`. */
  readonly etag: string
  /** Milliseconds since the epoch, whole seconds. */
  readonly modifiedMs: number
}

/** RFC 9110 section 13.2.2: If-None-Match goes before If-Modified-Since. */
export function isNotModified(environ: Environ, { etag, modifiedMs }: Validators): boolean {
  const noneMatch = variable(environ, 'HTTP_IF_NONE_MATCH')
  if (noneMatch !== undefined) return matches(noneMatch, etag)
  const since = Date.parse(variable(environ, 'HTTP_IF_MODIFIED_SINCE') ?? '')
  return !Number.isNaN(since) && modifiedMs <= since
}

/** If-Match and If-Unmodified-Since, which a client sends to be refused. */
export function isPreconditionFailed(environ: Environ, { modifiedMs }: Validators): boolean {
  const match = variable(environ, 'HTTP_IF_MATCH')
  // A weak tag never matches strongly (section 13.1.1); `*` asks only whether there is a file.
  if (match !== undefined) return match.trim() !== '*'
  const since = Date.parse(variable(environ, 'HTTP_IF_UNMODIFIED_SINCE') ?? '')
  return !Number.isNaN(since) && modifiedMs > since
}

export type Range =
  | { readonly kind: 'whole' }
  /** `end` is exclusive. */
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' }

/** One range of bytes; several, or what is no range, ask for the whole (section 14.2 allows that). */
export function rangeOf(environ: Environ, size: number, { modifiedMs }: Validators): Range {
  const header = variable(environ, 'HTTP_RANGE')
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? []
  if (first === '' && last === '') return { kind: 'whole' }
  const ifRange = variable(environ, 'HTTP_IF_RANGE')
  // Section 13.1.5: an exact date, or a strong tag, which these are not.
  if (ifRange !== undefined && Date.parse(ifRange) !== modifiedMs) return { kind: 'whole' }
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', start: size - length, end: size }
  }
  const start = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < start) return { kind: 'whole' }
  return start >= size ? { kind: 'unsatisfiable' } : { kind: 'part', start, end }
}

/** Weak comparison (section 8.8.3.2), which GET and HEAD use. */
function matches(header: string, etag: string): boolean {
  if (header.trim() === '*') return true
  const opaque = (tag: string) => tag.replace(/^W\//, '')
  return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(etag))
}
