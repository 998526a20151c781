/** What `tsgi request` was told: where to send which request, and what to do with the answers. */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ClientProtocol, Place } from '../client/exchange.ts'
import { type FrontRequest, type HeaderField, parseTarget } from '../client/front-request.ts'
import { asError } from '../errors.ts'
import { TOKEN } from '../gateway/grammar.ts'
import { parseAddress } from '../options/address.ts'
import { duration, readValue } from '../options/kinds.ts'
import { loadOptions } from '../options/load.ts'
import { parseOptions, usageError } from '../options/parse.ts'
import type { Options } from '../options/table.ts'
import { connectHost } from './init-target.ts'
import type { Extra, Invocation } from './subcommand.ts'

export interface RequestArguments {
  readonly place: Place
  /** The address as it is shown in messages. */
  readonly address: string
  readonly protocol: ClientProtocol
  readonly request: FrontRequest
  readonly showHead: boolean
  readonly repeat: number
  /** 0: no limit. */
  readonly timeoutMs: number
}

export const REQUEST_EXTRAS: readonly Extra[] = [
  { usage: '--uwsgi <ADDR>', help: 'Speak the uwsgi protocol to the socket at this address.' },
  { usage: '--fastcgi <ADDR>', help: 'Speak FastCGI to it.' },
  { usage: '--scgi <ADDR>', help: 'Speak SCGI to it.' },
  { usage: '--socket <ADDR>', help: 'The same as --uwsgi.' },
  { usage: '--http <ADDR>', help: 'Speak HTTP/1.1 to it.' },
  { usage: '-X, --method <METHOD>', help: 'Request method. GET, or POST where there is a body.' },
  {
    usage: '-H, --header <NAME: VALUE>',
    help: 'Header field; without a value, send none. Repeatable.',
    repeatable: true,
  },
  { usage: '-d, --data <DATA>', help: 'Request body; @FILE is read from a file, @- from standard input.' },
  {
    usage: '--param <NAME=VALUE>',
    help: 'Set a variable beside what a front server sends. Repeatable.',
    repeatable: true,
  },
  { usage: '-i, --include', help: 'Print the head of the response, too.' },
  { usage: '--repeat <NUMBER>', help: 'Send it this many times, one after the other, and print a summary.' },
  { usage: '--timeout <SECONDS>', help: 'Give up a response that is not complete by then. 0: never. Default 30.' },
]

const PROTOCOLS = ['uwsgi', 'fastcgi', 'scgi', 'socket', 'http'] as const

const DEFAULT_TIMEOUT_MS = 30_000

/** @throws TsgiError TSGI_USAGE */
export async function readRequestArguments(invocation: Invocation): Promise<RequestArguments> {
  const { extras, input } = invocation
  const where = await findAddress(invocation)
  const protocol = where.key === 'socket' ? 'uwsgi' : where.key
  const text = (name: string) => (typeof extras[name] === 'string' ? extras[name] : undefined)
  const params = texts(extras['param']).map(readParam)
  if (protocol === 'http' && params.length > 0) throw usageError(['--param: HTTP has no variables; use -H'])
  const data = text('data')
  const body = data === undefined ? undefined : readBody(data, input.cwd)
  return {
    place: where.place,
    address: where.address,
    protocol,
    request: {
      target: parseTarget(invocation.operands[0] ?? '/'),
      method: readMethod(text('method') ?? (body === undefined ? 'GET' : 'POST')),
      headers: texts(extras['header']).map(readHeader),
      params,
      body,
    },
    showHead: extras['include'] === true,
    repeat: readRepeat(text('repeat')),
    timeoutMs: readTimeout(text('timeout')),
  }
}

interface Found {
  readonly key: (typeof PROTOCOLS)[number]
  readonly address: string
  readonly place: Place
}

/** From the flags or, as `tsgi ctl` does, from where `tsgi serve` took it: configuration file and environment. */
async function findAddress({ extras, input }: Invocation): Promise<Found> {
  const given = PROTOCOLS.filter((key) => extras[key] !== undefined)
  if (given.length > 1) throw usageError([`--${given.join(' and --')}: one address at a time`])
  const [key] = given
  if (key !== undefined) {
    // Complains about flags that do not exist; a broken configuration file is no reason not to ask a socket.
    parseOptions({ ...input, environment: {} })
    return { key, ...placeAt(String(extras[key]), input.cwd) }
  }
  const { options } = await loadOptions(input)
  const found = firstListener(options)
  if (found === undefined) throw usageError([NO_ADDRESS])
  return { key: found.key, ...placeAt(found.address, input.cwd) }
}

const NO_ADDRESS =
  'where is the socket? Say --uwsgi /run/app.sock (or --fastcgi, --scgi, --http), or run this where tsgi.config.ts or TSGI_UWSGI says it'

function firstListener(options: Options): { key: Found['key']; address: string } | undefined {
  for (const key of PROTOCOLS) {
    const address = options[key].find((each) => !each.startsWith('fd:'))
    if (address !== undefined) return { key, address }
  }
  return undefined
}

function placeAt(text: string, cwd: string): Pick<Found, 'address' | 'place'> {
  const address = parseAddress(text)
  if (typeof address === 'string') throw usageError([address])
  if (address.kind === 'fd') throw usageError([`${text}: say the address that the socket is bound to`])
  if (address.kind === 'unix') {
    const path = resolve(cwd, address.path)
    return { address: path, place: { kind: 'unix', path } }
  }
  return {
    address: text,
    place: { kind: 'tcp', host: connectHost(address.host).replace(/[[\]]/g, ''), port: address.port },
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function readMethod(text: string): string {
  if (TOKEN.test(text)) return text
  throw usageError([`-X: ${JSON.stringify(text)} is no method`])
}

function readHeader(text: string): HeaderField {
  const colon = text.indexOf(':')
  const name = text.slice(0, colon)
  const value = text.slice(colon + 1).trim()
  if (colon < 0 || !TOKEN.test(name)) throw usageError([`-H: ${JSON.stringify(text)}: write 'Name: value'`])
  if (/[\r\n\0]/.test(value)) throw usageError([`-H: the value of ${name} has a line end or NUL in it`])
  return [name, value]
}

function readParam(text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw usageError([`--param: ${JSON.stringify(text)}: write NAME=VALUE`])
  return [text.slice(0, equals), text.slice(equals + 1)]
}

function readBody(data: string, cwd: string): Buffer {
  if (!data.startsWith('@')) return Buffer.from(data)
  const path = data.slice(1)
  try {
    return readFileSync(path === '-' ? 0 : resolve(cwd, path))
  } catch (error) {
    throw usageError([`-d ${data}: ${asError(error).message}`])
  }
}

function readRepeat(text: string | undefined): number {
  if (text === undefined) return 1
  const count = Number(text)
  if (/^\d{1,7}$/.test(text) && count > 0) return count
  throw usageError([`--repeat: expected a whole number above 0, not ${JSON.stringify(text)}`])
}

function readTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_MS
  const read = readValue(duration, text)
  if (read.ok) return read.value
  throw usageError(read.problems.map((problem) => `--timeout: ${problem}`))
}
