/** URLs of a request (PEP 3333, "URL Reconstruction"): percent-encoded byte by byte. */

import type { ByteString, Environ } from '../application.ts'
import { defaultPort } from '../gateway/host.ts'
import { quotePath } from '../gateway/text.ts'
import { variable } from '../gateway/variable.ts'

/** `https://example.com/mount`: where the application is, without a slash at its end unless it is the root. */
export function applicationUri(environ: Environ): string {
  return `${origin(environ)}${quotePath(environ.SCRIPT_NAME) || '/'}`
}

/** `https://example.com/mount/path?query`: what was asked for. */
export function requestUri(environ: Environ, { query = true }: { readonly query?: boolean } = {}): string {
  const path = quotePath(environ.SCRIPT_NAME + environ.PATH_INFO) || '/'
  const search = query && environ.QUERY_STRING !== '' ? `?${environ.QUERY_STRING}` : ''
  return `${origin(environ)}${path}${search}`
}

/**
 * Moves the first segment of PATH_INFO to the end of SCRIPT_NAME: routing level by level. Empty and `.` segments before it
 * are dropped.
 * @returns the segment, undecoded; null where none is left, or where it is `..`, which must not lead out of SCRIPT_NAME
 */
export function shiftPathInfo(environ: Environ): ByteString | null {
  const [, segment, rest] = /^(?:\/\.?(?=\/|$))*\/([^/]+)(.*)$/s.exec(environ.PATH_INFO) ?? []
  if (segment === undefined || segment === '.' || segment === '..') return null
  environ.SCRIPT_NAME += `/${segment}`
  environ.PATH_INFO = rest ?? ''
  return segment
}

/** Host without port, in lower case: HTTP_HOST, or the name that the front server has for itself. */
export function hostName(environ: Environ): string {
  const host = variable(environ, 'HTTP_HOST') || environ.SERVER_NAME
  return host.replace(/:\d*$/, '').toLowerCase()
}

function origin(environ: Environ): string {
  const scheme = environ['tsgi.url_scheme']
  const host = variable(environ, 'HTTP_HOST')
  if (host !== undefined && host !== '') return `${scheme}://${host}`
  const isDefault = environ.SERVER_PORT === defaultPort(scheme)
  return `${scheme}://${environ.SERVER_NAME}${isDefault ? '' : `:${environ.SERVER_PORT}`}`
}
