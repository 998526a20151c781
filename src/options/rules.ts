/** What no single option can say: combinations that cannot work. Each rule is one function; all problems are reported at once. */

import { pathTooLong } from './address.ts'
import { LISTENER_KEYS, SERVICE_KEYS } from './addresses.ts'
import type { Parsed } from './parsed.ts'
import type { OptionKey, Options } from './table.ts'

/** One line for each problem, naming the flags, variables or keys that the operator wrote. */
export function findProblems(parsed: Parsed): string[] {
  return RULES.flatMap((rule) => rule(parsed))
}

type Rule = (parsed: Parsed) => string[]

const eachAddressOnce: Rule = ({ options, sources }) => {
  const users = new Map<string, string[]>()
  const note = (key: OptionKey, address: string) => {
    // Port 0 is another free port each time.
    if (address.endsWith(':0')) return
    users.set(address, [...(users.get(address) ?? []), sources[key].name])
  }
  for (const key of LISTENER_KEYS) for (const address of options[key]) note(key, address)
  for (const key of SERVICE_KEYS) if (options[key] !== undefined) note(key, options[key])
  return [...users]
    .filter(([, names]) => names.length > 1)
    .map(([address, names]) => `${address} is given ${names.length} times: ${names.join(', ')}`)
}

/** A path that was relative may have become too long. */
const unixPathsFit: Rule = ({ options, sources }) => {
  const given = [
    ...LISTENER_KEYS.map((key) => ({ key, texts: options[key] })),
    ...SERVICE_KEYS.map((key) => ({ key, texts: [options[key] ?? ''] })),
  ]
  return given.flatMap(({ key, texts }) =>
    texts
      .filter((text) => pathTooLong(text.replace(/^unix:/, '')))
      .map((text) => `${sources[key].name}: ${text} is too long for the path of a Unix socket`),
  )
}

const jitterNeedsMaxRequests: Rule = ({ options, sources }) => {
  if (options.maxRequestsJitter === 0 || options.maxRequests > 0) return []
  return [`${sources.maxRequestsJitter.name}: has a meaning only with --max-requests`]
}

const socketOwnershipNeedsUnixSocket: Rule = ({ options, sources }) => {
  const given = (['socketMode', 'socketOwner', 'socketGroup'] as const).filter((key) => isGivenHere(sources[key].kind))
  const addresses = LISTENER_KEYS.flatMap((key) => options[key])
  if (given.length === 0 || addresses.length === 0 || addresses.some((address) => address.startsWith('unix:')))
    return []
  return given.map((key) => `${sources[key].name}: none of the listeners is a Unix socket that tsgi creates`)
}

const accessLogFileNeedsFormat: Rule = ({ options, sources }) => {
  if (options.accessLogFile === undefined || options.accessLog !== 'off') return []
  return [`${sources.accessLogFile.name}: the access log is off; say --access-log combined or json`]
}

const heartbeatAboveTick: Rule = ({ options, sources }) => {
  // Ticks come once a second: a shorter limit would kill workers that are well.
  if (options.heartbeatTimeoutMs === 0 || options.heartbeatTimeoutMs >= 2000) return []
  return [`${sources.heartbeatTimeoutMs.name}: at least 2 seconds, as workers report once a second; 0 means never`]
}

/** So often a timer has to fire four times in it. */
const MIN_TRACED_MS = 100

const hangIsTracedBeforeTheEnd: Rule = ({ options: { traceHangsMs, heartbeatTimeoutMs }, sources }) => {
  const { name } = sources.traceHangsMs
  if (traceHangsMs === 0) return []
  if (traceHangsMs < MIN_TRACED_MS) return [`${name}: at least 0.1 seconds; 0 means never`]
  if (heartbeatTimeoutMs === 0 || traceHangsMs < heartbeatTimeoutMs) return []
  return [`${name}: less than --heartbeat-timeout (${heartbeatTimeoutMs / 1000} seconds), which ends the worker`]
}

const controlIsUnixSocket: Rule = ({ options, sources }) => {
  // Whoever reaches it can stop the server; the mode of a file says who may.
  if (options.control === undefined || options.control.startsWith('unix:')) return []
  return [`${sources.control.name}: a control socket is a Unix socket, as in /run/app/ctl.sock`]
}

const tlsIsWhole: Rule = ({ options, sources }) => {
  const { tlsCert, tlsKey, tlsClientCa } = options
  if (tlsCert === undefined && tlsKey !== undefined) return [`${sources.tlsKey.name}: needs --tls-cert beside it`]
  if (tlsCert === undefined && tlsClientCa !== undefined) return [`${sources.tlsClientCa.name}: needs --tls-cert too`]
  if (tlsCert === undefined) return []
  if (tlsKey === undefined) return [`${sources.tlsCert.name}: needs --tls-key beside it`]
  const addresses = LISTENER_KEYS.flatMap((key) => options[key])
  if (addresses.length === 0 || addresses.some((address) => !address.startsWith('unix:'))) return []
  return [`${sources.tlsCert.name}: none of the listeners is TCP, and Unix sockets speak no TLS`]
}

const RULES: readonly Rule[] = [
  unixPathsFit,
  eachAddressOnce,
  jitterNeedsMaxRequests,
  socketOwnershipNeedsUnixSocket,
  accessLogFileNeedsFormat,
  heartbeatAboveTick,
  hangIsTracedBeforeTheEnd,
  controlIsUnixSocket,
  tlsIsWhole,
]

function isGivenHere(kind: string): boolean {
  return kind === 'flag' || kind === 'variable'
}

/** For a command that serves: somebody must be able to reach it. */
export function requireListener(options: Options): string[] {
  if (LISTENER_KEYS.some((key) => options[key].length > 0)) return []
  return [
    'nothing to listen on: say --uwsgi /run/app.sock, --fastcgi, --scgi or --socket ADDR for a front server, or --http 127.0.0.1:8000',
  ]
}
