/** The URL of a request as the platform's Request gives it: absolute and normalised. */

import { describe, TsgiError } from '../../errors.ts'
import { withoutOrigin } from '../../gateway/path.ts'
import type { RequestVariables } from '../../gateway/request-source.ts'

/** Hosts and targets that `new URL` would give back as they are: parsing costs more than all the rest of a request. */
const PLAIN_HOST = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?$/
/** A last label of digits is an IPv4 address, which URL rewrites. */
const MAYBE_IPV4 = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)(?::[0-9]+)?$/
const PLAIN_IPV4 = /^127\.0\.0\.1(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?$/
const PLAIN_TARGET = /^\/[\w~:@!$&()*+,;=%/?.-]*$/
const DOT_SEGMENT = /\/(?:\.|%2e)/i
/**
 * URL resolves what a front server, or a middleware that goes by PATH_INFO, has looked at as it stands: of `/x/../admin` it would make
 * the `/admin` that neither saw. nginx and Apache have resolved it before; the built-in listener and HAProxy have not.
 */
const UNRESOLVED = /(?:^|\/)\.\.?(?:\/|$)/
const PUNYCODE = /(?:^|\.)xn--/

type Named = Pick<RequestVariables, 'scheme' | 'host' | 'target' | 'get'>

/**
 * @throws TsgiError TSGI_CLIENT_BAD_URL where Host and target make no URL, or one of another host or of another path than PATH_INFO:
 * clients send what they like. An application that lets it pass answers 400 with it, and nothing is logged.
 */
export function requestUrl(variables: Named): string {
  const { scheme, target } = variables
  const host = variables.host || serverHost(variables)
  if (isPlainHost(host, scheme) && PLAIN_TARGET.test(target) && !DOT_SEGMENT.test(target)) {
    return `${scheme}://${host}${target}`
  }
  if (DOT_SEGMENT.test(target) && UNRESOLVED.test(variables.get('PATH_INFO') ?? '')) {
    throw new TsgiError('TSGI_CLIENT_BAD_URL', `nobody has resolved the dot segments of ${describe(target)}`)
  }
  // What the client names as the origin does not count: the front server decides on scheme and host.
  const path = withoutOrigin(target)
  const url = parsed(`${scheme}://${host}${path.startsWith('/') ? '' : '/'}${literal(path)}`, host, target)
  if (!isSameHost(url.hostname, host)) {
    throw new TsgiError('TSGI_CLIENT_BAD_URL', `a URL has ${url.hostname} for the host ${describe(host)}`)
  }
  return url.href
}

function parsed(text: string, host: string, target: string): URL {
  try {
    return new URL(text)
  } catch (error) {
    throw new TsgiError('TSGI_CLIENT_BAD_URL', `${describe(host)} and ${describe(target)} make no URL`, {
      cause: error,
    })
  }
}

/**
 * Of `%61dmin.example` and `0x7f.1` URL makes the names that nobody before the application has seen: a front server or a middleware
 * that goes by the host would be passed by. Of an IPv6 address it makes the shortest form, and there is no other host that it could be.
 */
const isSameHost = (hostname: string, host: string): boolean =>
  hostname.startsWith('[') || hostname === host.replace(/:\d*$/, '').toLowerCase()

/**
 * URL takes a backslash for a slash, and what follows it for a segment that may lead up: of `/a\..\admin`, which a front server takes
 * for one name in its root, it would make `/admin`. Line breaks and tabs it would leave out.
 */
function literal(path: string): string {
  const end = path.search(/[?#]/)
  const names = end < 0 ? path : path.slice(0, end)
  const escaped = names.replace(/[\\\t\r\n]/g, (character) => ESCAPES[character] ?? character)
  return end < 0 ? escaped : escaped + path.slice(end)
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '%5C', '\t': '%09', '\r': '%0D', '\n': '%0A' }

function isPlainHost(host: string, scheme: string): boolean {
  if (!PLAIN_HOST.test(host) || PUNYCODE.test(host)) return PLAIN_IPV4.test(host)
  if (MAYBE_IPV4.test(host) && !PLAIN_IPV4.test(host)) return false
  return !host.endsWith(scheme === 'https' ? ':443' : ':80')
}

function serverHost(variables: Named): string {
  const name = variables.get('SERVER_NAME') ?? ''
  return `${name.includes(':') ? `[${name}]` : name}:${variables.get('SERVER_PORT')}`
}
