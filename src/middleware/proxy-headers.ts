/** The headers in which proxies say who their client was: X-Forwarded-* and Forwarded (RFC 7239), read as lists. */

import { isIP, isIPv6 } from 'node:net'
import type { Environ } from '../application.ts'
import { variable } from '../gateway/variable.ts'

export const FAMILIES = ['for', 'proto', 'host', 'port', 'prefix', 'forwarded'] as const
export type Family = (typeof FAMILIES)[number]

export const FAMILY_VARIABLES = {
  for: 'HTTP_X_FORWARDED_FOR',
  proto: 'HTTP_X_FORWARDED_PROTO',
  host: 'HTTP_X_FORWARDED_HOST',
  port: 'HTTP_X_FORWARDED_PORT',
  prefix: 'HTTP_X_FORWARDED_PREFIX',
  forwarded: 'HTTP_FORWARDED',
} as const satisfies Readonly<Record<Family, string>>

export interface Address {
  /** Without brackets and port. */
  readonly ip: string
  readonly port: string | undefined
}

/** A hop as the proxy behind it saw it. Fields that it did not mention are undefined. */
export interface Hop {
  /** Not looked into: of a hop that nobody asks for, it is what the client wrote. See `addressOf`. */
  readonly node: string | undefined
  readonly proto: string | undefined
  readonly host: string | undefined
}

/** What cannot be understood in a trusted header: answered 400, since guessing would be trusting the client. */
export class BadForward extends Error {}

export function listOf(environ: Environ, family: Family): string[] {
  const value = variable(environ, FAMILY_VARIABLES[family])
  return value === undefined || value.trim() === '' ? [] : value.split(',').map((item) => item.trim())
}

/**
 * The address of a client, as the proxy behind it wrote it. Undefined where it was not told: `unknown`, in any case (Squid writes it
 * into X-Forwarded-For too), and `_hidden` (RFC 7239 section 6).
 */
export function addressOf(node: string | undefined): Address | undefined {
  if (node === undefined || node.toLowerCase() === 'unknown' || node.startsWith('_')) return undefined
  return parseAddress(node)
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. */
export function parseAddress(text: string): Address {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const ip = isIPv6(text) ? text : (bracketed ?? plain ?? '')
  if (isIP(ip) === 0) throw new BadForward(`${JSON.stringify(text)} is no IP address`)
  return { ip, port: isIPv6(text) ? undefined : port }
}

export function checkProto(value: string): 'http' | 'https' {
  const proto = value.toLowerCase()
  if (proto !== 'http' && proto !== 'https') throw new BadForward(`${JSON.stringify(value)} is neither http nor https`)
  return proto
}

export function checkHost(value: string): string {
  if (!/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(value)) {
    throw new BadForward(`${JSON.stringify(value)} is no host`)
  }
  return value
}

export function checkPort(value: string): string {
  const port = Number(value)
  if (!/^\d{1,5}$/.test(value) || port < 1 || port > 65_535) throw new BadForward(`${JSON.stringify(value)} is no port`)
  return value
}

/** @returns `''` or `/x` */
export function checkPrefix(value: string): string {
  const prefix = value.replace(/\/+$/, '')
  if (prefix !== '' && (!/^\/[\x21-\x7e]*$/.test(prefix) || /\/\/|\/\.\.?(?:\/|$)|[?#]/.test(prefix))) {
    throw new BadForward(`${JSON.stringify(value)} is no path prefix`)
  }
  return prefix
}

/** RFC 7239 section 4: `for=192.0.2.1;proto=https, for="[2001:db8::1]:80"`. */
export function parseForwarded(value: string): Hop[] {
  return splitQuoted(value, ',').map((element) => {
    const fields = new Map<string, string>()
    for (const pair of splitQuoted(element, ';')) {
      const [, name = '', token, quoted] = /^([!#$%&'*+.^_`|~\w-]+)=(?:([^\s"]*)|"((?:[^"\\]|\\.)*)")$/.exec(pair) ?? []
      if (name === '' || fields.has(name.toLowerCase())) throw new BadForward(`Forwarded: ${JSON.stringify(pair)}`)
      fields.set(name.toLowerCase(), token ?? quoted?.replace(/\\(.)/g, '$1') ?? '')
    }
    return { node: fields.get('for'), proto: fields.get('proto'), host: fields.get('host') }
  })
}

function splitQuoted(text: string, separator: string): string[] {
  const parts: string[] = []
  let part = ''
  let quoted = false
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? ''
    if (character === '\\' && quoted) {
      part += character + (text[index + 1] ?? '')
      index += 1
    } else if (character === separator && !quoted) {
      parts.push(part.trim())
      part = ''
    } else {
      if (character === '"') quoted = !quoted
      part += character
    }
  }
  return [...parts, part.trim()].filter((item) => item !== '')
}
