/** The URL of a request as the platform's Request gives it: absolute and normalised. */

import type { RequestVariables } from '../gateway/request-source.ts'

/** Hosts and targets that `new URL` would give back as they are: parsing costs more than all the rest of a request. */
const PLAIN_HOST = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[1-9][0-9]{0,4})?$/
/** A last label of digits is an IPv4 address, which URL rewrites. */
const MAYBE_IPV4 = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)(?::[0-9]+)?$/
const PLAIN_IPV4 = /^127\.0\.0\.1(?::[1-9][0-9]{0,4})?$/
const PLAIN_TARGET = /^\/[\w~:@!$&()*+,;=%/?.-]*$/
const DOT_SEGMENT = /\/(?:\.|%2e)/i
const PUNYCODE = /(?:^|\.)xn--/

type Named = Pick<RequestVariables, 'scheme' | 'host' | 'target' | 'get'>

/** @throws TypeError ERR_INVALID_URL where Host and target make no URL */
export function requestUrl(variables: Named): string {
  const { scheme, target } = variables
  const host = variables.host || serverHost(variables)
  if (isPlainHost(host, scheme) && PLAIN_TARGET.test(target) && !DOT_SEGMENT.test(target)) {
    return `${scheme}://${host}${target}`
  }
  // RFC 9112 section 3.2.2: the absolute form names scheme and host itself, yet the front server decides on both.
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/.exec(target)
  const path = absolute === null ? target : target.slice(absolute[0].length)
  return new URL(`${scheme}://${host}${path.startsWith('/') ? '' : '/'}${path}`).href
}

function isPlainHost(host: string, scheme: string): boolean {
  if (!PLAIN_HOST.test(host) || PUNYCODE.test(host)) return PLAIN_IPV4.test(host)
  if (MAYBE_IPV4.test(host) && !PLAIN_IPV4.test(host)) return false
  return !host.endsWith(scheme === 'https' ? ':443' : ':80')
}

function serverHost(variables: Named): string {
  const name = variables.get('SERVER_NAME') ?? ''
  return `${name.includes(':') ? `[${name}]` : name}:${variables.get('SERVER_PORT')}`
}
