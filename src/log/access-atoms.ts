/** What an access log format can say: Gunicorn's atoms, and a few of Apache's. Every value comes out escaped. */

import type { HeaderList } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { RequestVariables } from '../gateway/request-source.ts'
import { rawPath } from '../gateway/text.ts'
import { headerVariable } from '../gateway/variable-names.ts'
import { nearest } from '../nearest.ts'
import { escapeText } from './escape.ts'
import { createCommonLogClock, createIsoClock } from './time-stamps.ts'

/** One answered request. */
export interface AccessEntry {
  readonly variables: RequestVariables
  readonly status: number
  /** Body bytes handed to the transport. */
  readonly bytes: number
  readonly durationMs: number
  /** The response was cut short, or the client left first. */
  readonly aborted: boolean
  readonly requestId: string
  /** When the response ended, in milliseconds since the epoch (Date.now()). */
  readonly time: number
  /** The response's; undefined where no head was sent. */
  readonly headers: HeaderList | undefined
}

export type Field = (entry: AccessEntry) => string

interface Atom {
  readonly help: string
  /** Called once per format, so that an atom may keep a cache. */
  readonly field: () => Field
}

const table = <Name extends string>(rows: Record<Name, Atom>): Readonly<Record<Name, Atom>> => rows

/** `%(NAME)s`. docs/access-log.md has a row for each. */
export const ATOMS = table({
  h: { help: 'client address (REMOTE_ADDR)', field: () => fromVariable('REMOTE_ADDR') },
  l: { help: '`-`', field: () => () => '-' },
  u: { help: 'user name (REMOTE_USER)', field: () => fromVariable('REMOTE_USER') },
  t: {
    help: 'time of the answer, `[21/Nov/2026:10:36:00 +0000]`',
    field: () => withTime(createCommonLogClock()),
  },
  iso: { help: 'time of the answer, `2026-11-21T10:36:00.123Z`', field: () => withTime(createIsoClock()) },
  r: { help: 'request line, `GET /path?query HTTP/1.1`', field: () => requestLine },
  m: { help: 'request method', field: () => fromVariable('REQUEST_METHOD') },
  U: {
    help: 'path without the query, as the client wrote it',
    field:
      () =>
      ({ variables }) =>
        escapeText(pathOf(variables)),
  },
  q: {
    help: 'query string',
    field:
      () =>
      ({ variables }) =>
        escapeText(variables.get('QUERY_STRING') ?? ''),
  },
  H: { help: 'protocol', field: () => fromVariable('SERVER_PROTOCOL') },
  s: {
    help: 'status; 0 where the client left before there was one',
    field:
      () =>
      ({ status }) =>
        String(status),
  },
  B: {
    help: 'body bytes sent',
    field:
      () =>
      ({ bytes }) =>
        String(bytes),
  },
  b: {
    help: 'body bytes sent, `-` for none',
    field:
      () =>
      ({ bytes }) =>
        bytes === 0 ? '-' : String(bytes),
  },
  f: { help: 'referrer', field: () => fromVariable('HTTP_REFERER') },
  a: { help: 'user agent', field: () => fromVariable('HTTP_USER_AGENT') },
  T: {
    help: 'duration in whole seconds',
    field:
      () =>
      ({ durationMs }) =>
        String(Math.floor(durationMs / 1000)),
  },
  M: {
    help: 'duration in milliseconds',
    field:
      () =>
      ({ durationMs }) =>
        String(Math.round(durationMs)),
  },
  D: {
    help: 'duration in microseconds',
    field:
      () =>
      ({ durationMs }) =>
        String(Math.round(durationMs * 1000)),
  },
  L: {
    help: 'duration in seconds, six decimals',
    field:
      () =>
      ({ durationMs }) =>
        (durationMs / 1000).toFixed(6),
  },
  p: { help: 'process id of the worker', field: () => () => String(process.pid) },
  id: {
    help: 'request id',
    field:
      () =>
      ({ requestId }) =>
        escapeText(requestId),
  },
  X: {
    help: '`X` where the response was cut short, else `-`',
    field:
      () =>
      ({ aborted }) =>
        aborted ? 'X' : '-',
  },
})

/** `%({NAME}i)s` and its like: the letter after the brace says where to look. */
const LOOKUPS: Readonly<Record<string, (name: string) => Field>> = {
  i: (name) => fromVariable(headerVariable(name)),
  o: (name) => responseHeader(name.toLowerCase()),
  e: (name) => fromVariable(name),
}

/** @throws TsgiError TSGI_USAGE for an atom that does not exist, naming the nearest that does */
export function atomField(name: string): Field {
  const lookup = /^\{([^}]+)\}(.)$/s.exec(name)
  if (lookup !== null) {
    const [, subject = '', kind = ''] = lookup
    const make = LOOKUPS[kind]
    if (make !== undefined) return make(subject)
    throw new TsgiError(
      'TSGI_USAGE',
      `%(${name})s: after the brace i (request header), o (response header) or e (variable) is wanted`,
    )
  }
  const atom = Object.hasOwn(ATOMS, name) ? Object.entries(ATOMS).find(([key]) => key === name)?.[1] : undefined
  if (atom !== undefined) return atom.field()
  const names = Object.keys(ATOMS)
  const near = nearest(name, names) ?? names.find((key) => key.toLowerCase() === name.toLowerCase())
  const hint = near === undefined ? `known are ${names.join(' ')}` : `did you mean %(${near})s?`
  throw new TsgiError('TSGI_USAGE', `there is no atom %(${name})s; ${hint}`)
}

function fromVariable(name: string): Field {
  return ({ variables }) => {
    const value = variables.get(name)
    return value === undefined || value === '' ? '-' : escapeText(value)
  }
}

function responseHeader(lowerName: string): Field {
  return ({ headers = [] }) => {
    const values = headers.filter(([name]) => name.toLowerCase() === lowerName).map(([, value]) => value)
    return values.length === 0 ? '-' : escapeText(values.join(', '))
  }
}

function withTime(clock: (timeMs: number) => string): Field {
  return ({ time }) => clock(time)
}

function requestLine({ variables }: AccessEntry): string {
  return escapeText(`${variables.method} ${variables.target} ${variables.protocol}`)
}

function pathOf(variables: RequestVariables): string {
  return rawPath({
    SCRIPT_NAME: variables.get('SCRIPT_NAME') ?? '',
    PATH_INFO: variables.get('PATH_INFO') ?? '',
    REQUEST_URI: variables.get('REQUEST_URI'),
  })
}
