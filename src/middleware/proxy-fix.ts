/**
 * Taking the word of proxies for who the client is. Behind one nginx it is not needed: with the sample configurations
 * REMOTE_ADDR, HTTPS and HTTP_HOST arrive right. It is behind a load balancer or a CDN in front of that nginx.
 */

import { BlockList } from 'node:net'
import type { Application, Environ } from '../application.ts'
import { describe, TsgiError } from '../errors.ts'
import { defaultPort, splitHost } from '../gateway/host.ts'
import { plainAnswer } from '../gateway/plain-answer.ts'
import { variable } from '../gateway/variable.ts'
import { addNetwork, isListed } from '../networks.ts'
import { copyEnviron } from './copy-environ.ts'
import {
  type Address,
  addressOf,
  BadForward,
  checkHost,
  checkPort,
  checkPrefix,
  checkProto,
  FAMILIES,
  FAMILY_VARIABLES,
  type Family,
  type Hop,
  listOf,
  parseAddress,
  parseForwarded,
} from './proxy-headers.ts'

export interface ProxyFixOptions {
  /** How many proxies add to the headers, the front server of tsgi not counted. Either this or `proxies`. */
  readonly hops?: number
  /** The addresses of the proxies, `10.0.0.0/8`: from the right of the list, the first other address is the client's. */
  readonly proxies?: readonly string[]
  /** Which headers those proxies set, so that they can be believed. All others of the kind are removed. */
  readonly trust: readonly Family[]
}

/** What was before: under `tsgi.proxy_fix.orig`. */
const CHANGED = [
  'REMOTE_ADDR',
  'REMOTE_PORT',
  'HTTP_HOST',
  'SERVER_NAME',
  'SERVER_PORT',
  'SCRIPT_NAME',
  'HTTPS',
] as const

/** What trusted headers say of the client, as far as they say it. */
interface Told {
  client: Address | undefined
  proto: 'http' | 'https' | undefined
  host: string | undefined
  port: string | undefined
  prefix: string | undefined
}

/**
 * REMOTE_ADDR, the scheme, the host and the mount as the client saw them. Nothing is believed that `trust` does not name; a trusted
 * header that makes no sense, or two that disagree, are answered 400.
 * @throws TsgiError TSGI_USAGE for options that trust nobody or everybody
 */
export function proxyFix(application: Application, options: ProxyFixOptions): Application {
  const depthOf = checkedDepth(options)
  const trusted = new Set(options.trust)
  return (environ, startResponse) => {
    const fixed = copyEnviron(environ)
    for (const family of FAMILIES) if (!trusted.has(family)) delete fixed[FAMILY_VARIABLES[family]]
    try {
      const hops = trusted.has('forwarded') ? parseForwarded(variable(fixed, 'HTTP_FORWARDED') ?? '') : []
      const clients = trusted.has('for') ? listOf(fixed, 'for') : []
      const depth = depthOf(environ, clients.length > 0 ? clients : hops.map(({ node }) => node))
      if (depth > 0) apply(fixed, tell(fixed, trusted, hops, clients, depth))
      else for (const family of trusted) delete fixed[FAMILY_VARIABLES[family]]
    } catch (error) {
      if (!(error instanceof BadForward)) throw error
      environ['tsgi.errors'].write(`proxyFix: ${error.message}\n`)
      return plainAnswer(startResponse, '400 Bad Request')
    }
    return application(fixed, startResponse)
  }
}

/** How far from the right of the lists the client stands: 0 is the peer itself, nobody is believed. */
type DepthOf = (environ: Environ, nodes: readonly (string | undefined)[]) => number

function checkedDepth({ hops, proxies }: ProxyFixOptions): DepthOf {
  if ((hops === undefined) === (proxies === undefined)) {
    throw new TsgiError(
      'TSGI_USAGE',
      'proxyFix: say either how many hops there are or which addresses the proxies have',
    )
  }
  if (hops !== undefined) {
    if (!Number.isInteger(hops) || hops < 0) throw new TsgiError('TSGI_USAGE', `proxyFix: hops is ${describe(hops)}`)
    return () => hops
  }
  const list = proxyList(proxies ?? [])
  const isProxy = (address: Address) => isListed(address.ip, list)
  return (environ, nodes) => {
    const peer = variable(environ, 'REMOTE_ADDR')
    // Without an address, or where nginx says `unix:`, the peer is on a Unix socket of this machine.
    if (peer !== undefined && peer !== '' && peer !== 'unix:' && !isProxy(parseAddress(peer))) return 0
    let depth = 1
    for (const node of nodes.toReversed()) {
      if (depth >= nodes.length) break
      const client = addressOf(node)
      if (client === undefined || !isProxy(client)) break
      depth += 1
    }
    return depth
  }
}

function proxyList(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    try {
      addNetwork(list, cidr)
    } catch (error) {
      throw new TsgiError('TSGI_USAGE', `proxyFix: ${describe(cidr)} is no network; wanted: 10.0.0.0/8`, {
        cause: error,
      })
    }
  }
  return list
}

/** Reads the trusted headers at that depth, and cuts them down to what can be believed. */
function tell(
  environ: Environ,
  trusted: ReadonlySet<Family>,
  hops: readonly Hop[],
  clients: readonly string[],
  depth: number,
): Told {
  const single = <Value>(family: Family, check: (text: string) => Value): Value | undefined => {
    if (!trusted.has(family)) return undefined
    const values = listOf(environ, family)
    // Many proxies replace these headers where others append: a short list is as good.
    const value = values.at(-depth) ?? values[0]
    if (value === undefined) return undefined
    environ[FAMILY_VARIABLES[family]] = value
    return check(value)
  }
  const hop = hops.at(-depth)
  // Fewer addresses than hops: somebody passed a proxy by, and what is there was not written by one of ours.
  const client = addressOf(clients.at(-depth))
  if (clients.length > 0) environ[FAMILY_VARIABLES.for] = listOf(environ, 'for').slice(-depth).join(', ')
  return {
    client: agreed('address', client, addressOf(hop?.node), ({ ip }) => ip),
    proto: agreed(
      'protocol',
      single('proto', checkProto),
      hop?.proto === undefined ? undefined : checkProto(hop.proto),
      String,
    ),
    host: agreed('host', single('host', checkHost), hop?.host === undefined ? undefined : checkHost(hop.host), String),
    port: single('port', checkPort),
    prefix: single('prefix', checkPrefix),
  }
}

function agreed<Value>(
  what: string,
  one: Value | undefined,
  other: Value | undefined,
  text: (value: Value) => string,
): Value | undefined {
  if (one !== undefined && other !== undefined && text(one) !== text(other)) {
    throw new BadForward(`X-Forwarded-* and Forwarded disagree on the ${what}: ${text(one)} and ${text(other)}`)
  }
  return one ?? other
}

function apply(environ: Environ, { client, proto, host, port, prefix }: Told): void {
  const before = Object.fromEntries(CHANGED.map((name) => [name, variable(environ, name)]))
  environ['tsgi.proxy_fix.orig'] = { ...before, 'tsgi.url_scheme': environ['tsgi.url_scheme'] }
  if (client !== undefined) {
    environ['REMOTE_ADDR'] = client.ip
    if (client.port === undefined) delete environ['REMOTE_PORT']
    else environ['REMOTE_PORT'] = client.port
  }
  if (proto !== undefined) applyScheme(environ, proto)
  if (host !== undefined || port !== undefined) applyHost(environ, host, port)
  // What the Host header names is the port that the client used; SERVER_PORT must not disagree with it.
  else if (proto !== undefined)
    environ.SERVER_PORT = splitHost(variable(environ, 'HTTP_HOST') ?? '').port ?? defaultPort(proto)
  if (prefix !== undefined) environ.SCRIPT_NAME = prefix + environ.SCRIPT_NAME
}

function applyScheme(environ: Environ, proto: 'http' | 'https'): void {
  environ['tsgi.url_scheme'] = proto
  environ['REQUEST_SCHEME'] = proto
  if (proto === 'https') environ['HTTPS'] = 'on'
  else delete environ['HTTPS']
}

function applyHost(environ: Environ, host: string | undefined, port: string | undefined): void {
  const scheme = environ['tsgi.url_scheme']
  const named = host ?? variable(environ, 'HTTP_HOST') ?? environ.SERVER_NAME
  const { name, port: ownPort } = splitHost(named)
  const shown = port ?? ownPort ?? defaultPort(scheme)
  environ.SERVER_NAME = name
  environ.SERVER_PORT = shown
  environ['HTTP_HOST'] = shown === defaultPort(scheme) ? name : `${name}:${shown}`
}
