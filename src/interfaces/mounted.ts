/** Where a request stands within the application of Express or Connect that passed it on. */

import type { IncomingMessage } from 'node:http'
import { splitOnce } from '../split-once.ts'

export interface Location {
  /** Path and query as they would be without a mount. */
  readonly target: string
  /** What of the path of `target` is the mount: `''` or `/x`. */
  readonly mount: string
}

/**
 * Both take the mount off `url` and keep what the client sent in `originalUrl`; Express has the mount in `baseUrl`. What a handler
 * wrote into `url` since counts, as it does for every handler behind it.
 */
export function locationOf(request: IncomingMessage): Location {
  const { url = '/' } = request
  const baseUrl: unknown = Reflect.get(request, 'baseUrl')
  const originalUrl: unknown = Reflect.get(request, 'originalUrl')
  if (!url.startsWith('/')) return { target: url, mount: '' }
  const original = typeof originalUrl === 'string' ? originalUrl : url
  const mount =
    typeof baseUrl === 'string' && /^(?:\/|$)/.test(baseUrl) ? baseUrl : mountBetween(pathOf(original), pathOf(url))
  // Below /mnt both make `/` of `/mnt`.
  const isBare = mount !== '' && pathOf(original) === mount && pathOf(url) === '/'
  return { target: mount + (isBare ? url.slice(1) : url), mount }
}

function mountBetween(original: string, path: string): string {
  if (original.endsWith(path)) return original.slice(0, -path.length)
  return path === '/' && original.startsWith('/') ? original : ''
}

const pathOf = (url: string): string => splitOnce(url, '?')[0]
