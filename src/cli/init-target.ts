/** What `tsgi init` knows about the application that a configuration is made for, and how a sample file is filled in. */

import { readFileSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { TsgiError } from '../errors.ts'
import { type Address, parseAddress } from '../options/address.ts'
import { usageError } from '../options/parse.ts'
import { OPTIONS, type OptionKey, type Options } from '../options/table.ts'
import { logicalPath } from './working-folder.ts'

export interface InitTarget {
  /** Letters, digits, and between them `_` and `-`: for upstreams, units, folders. */
  readonly name: string
  /** Absolute: in it `command` is run. */
  readonly startFolder: string
  /** Absolute: in it relative paths start; the same, or `--chdir`. */
  readonly folder: string
  /** Absolute. */
  readonly application: string
  readonly options: Options
  readonly listener: Listener
  /** The command line after `tsgi`, with the listener in it. */
  readonly command: readonly string[]
  /** What flags and variables said, as flags. */
  readonly given: readonly GivenOption[]
  /** `--files`, where the web server finds the package's own files; undefined: in the package. */
  readonly filesFolder: string | undefined
}

export interface GivenOption {
  readonly key: OptionKey
  /** `['--workers', '4']` */
  readonly words: readonly string[]
}

export type GatewayProtocol = 'uwsgi' | 'fastcgi' | 'scgi'

export interface Listener {
  readonly protocol: GatewayProtocol
  /** At least one. */
  readonly addresses: readonly BoundAddress[]
}

/** A front server can connect to it: not an inherited descriptor. */
export type BoundAddress = Exclude<Address, { kind: 'fd' }>

const GATEWAY_KEYS = ['uwsgi', 'fastcgi', 'scgi', 'socket'] as const

/** The first gateway protocol that the options listen for; a socket for any protocol is used with uwsgi. */
export function gatewayListener(options: Options): Listener | undefined {
  const key = GATEWAY_KEYS.find((candidate) => options[candidate].length > 0)
  if (key === undefined) return undefined
  const addresses = options[key].map((text) => {
    const address = parseAddress(text)
    if (typeof address === 'string') throw usageError([address])
    if (address.kind === 'fd') throw usageError([`${text}: say the address that the inherited socket is bound to`])
    return address
  })
  return { protocol: key === 'socket' ? 'uwsgi' : key, addresses }
}

/**
 * Whoever sends none is turned away.
 * @throws TsgiError TSGI_USAGE
 */
export function refuseProxyProtocol({ proxyProtocol }: Options, front: string): void {
  if (proxyProtocol)
    throw usageError([`--proxy-protocol: ${front} sends no such header to an application; leave it out`])
}

/** Over TCP alone: Unix sockets stay as they are. */
export function speaksTls({ tlsCert }: Options, addresses: readonly BoundAddress[]): boolean {
  return tlsCert !== undefined && addresses.some(({ kind }) => kind === 'tcp')
}

export function isListener(key: OptionKey): boolean {
  return OPTIONS[key].section === 'Listeners'
}

/** The command as one types it, in one line: it stands in a comment. */
export function commandText({ command }: InitTarget): string {
  return ['tsgi', ...command].map(quoteShell).join(' ')
}

export function quoteShell(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  if (!/[\n\r]/.test(word)) return `'${word.replaceAll("'", "'\\''")}'`
  return `$'${word.replace(/['\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`
}

/** A file of the package, read where it lies: `nginx/app.conf`. */
export function sampleFile(path: string): string {
  return readFileSync(packagePath(path), 'utf8')
}

function packagePath(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

/** As `packagePath`; below a start folder that is a link to a release it goes through the link, which stays. */
export function lastingPackagePath(path: string, { startFolder }: InitTarget): string {
  return logicalPath(packagePath(path), realpathSync(startFolder), startFolder)
}

export interface Replacement {
  readonly pattern: RegExp
  readonly by: string
}

/** @throws TsgiError TSGI_RUN when the sample has nothing to replace: it and this code have parted ways */
export function fillIn(sample: string, replacements: readonly Replacement[], path: string): string {
  return replacements.reduce((text, { pattern, by }) => {
    if (text.search(pattern) < 0) throw new TsgiError('TSGI_RUN', `${path} has nothing that matches ${pattern.source}`)
    return text.replace(pattern, () => by)
  }, sample)
}

/** The sample's own introduction is about copying it; ours says what this output is. */
export function replaceIntroduction(sample: string, lines: readonly string[]): string {
  const introduction = lines.map((line) => (line === '' ? '#' : `# ${line}`)).join('\n')
  return `${introduction}\n${sample.replace(/^(?:#.*\n)+/, '')}`
}

/** The host that a client on this machine connects to. */
export function connectHost(host: string): string {
  return host === '' || host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
}

/** `104857600` is `100m`: for nginx, which knows k, m and g. */
export function webServerSize(bytes: number): string {
  for (const [unit, size] of [
    ['g', 1024 ** 3],
    ['m', 1024 ** 2],
    ['k', 1024],
  ] as const) {
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return String(bytes)
}

/** The front server must be the more patient one, so that tsgi can answer and log what takes too long. */
export function patientSeconds(requestTimeoutMs: number): number {
  return Math.max(60, Math.ceil(requestTimeoutMs / 1000) + 5)
}
