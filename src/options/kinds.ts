/**
 * How a value of each kind is written, on the command line (always text) and in a configuration file (text, number, ...),
 * and what it becomes. Every kind is a zod schema with the words that help and messages need.
 */

import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod/v3'
import { describe } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { ADDRESS_FORMS, formatAddress, parseAddress } from './address.ts'
import { allowedCpus } from './cpus.ts'

/** `Out` is the value in `Options`, `In` what a configuration file may hold for it. */
export interface Kind<Out, In> {
  /** In help: `--backlog NUMBER`. Empty: the flag takes no value. */
  readonly placeholder: string
  /** Completes "expected ...". */
  readonly expected: string
  readonly schema: z.ZodType<Out, z.ZodTypeDef, In>
  /** The value of an option that is given nowhere and has no default. */
  readonly absent?: Out
  /** The flag may be repeated; one environment variable holds several, cut by `separator`. */
  readonly separator?: RegExp
  /** The value as a person reads it; without one, as JSON writes it. A method, so that kinds of any value are `Kind<unknown, unknown>`. */
  format?(value: Out): string
  /** The value with every relative path in it starting in `folder`, which is absolute. */
  anchor?(value: Out, folder: string): Out
  /** The only values there are, for help. */
  readonly choices?: readonly string[]
}

/**
 * Says that a value cannot be taken. It returns, with a value that nobody reads (zod's NEVER): several things may be refused.
 * @param words completes "NAME: ..."; without them, "expected ..., not ..."
 */
type Refuse = (words?: string) => never

/** A schema for text, or whatever else `input` takes, read by a function that may refuse. */
function read<Out, In>(
  input: z.ZodType<In>,
  convert: (raw: In, refuse: Refuse) => Out,
): z.ZodType<Out, z.ZodTypeDef, In> {
  return input.transform((raw, context) =>
    convert(raw, (words) => {
      // In `params`: zod puts its own words where a message is empty.
      context.addIssue({ code: 'custom', params: { words } })
      return z.NEVER
    }),
  )
}

const textOrNumber = z.union([z.string(), z.number()])

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A timer of Node takes at most this; above, it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Seconds on the command line and in files, milliseconds in `Options`. */
export const duration: Kind<number, string | number> = {
  placeholder: 'SECONDS',
  expected: 'a duration: seconds, or a number with its unit, such as 30, 1.5, 500ms, 2m or 1h',
  schema: read(textOrNumber, (raw, refuse) => {
    const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/i.exec(String(raw).trim())
    const ms = Number(match?.[1]) * (MS_PER_UNIT[(match?.[2] ?? 's').toLowerCase()] ?? Number.NaN)
    if (Number.isNaN(ms)) return refuse()
    if (ms > MAX_TIMER_MS) return refuse('longer than 24 days is not possible; 0 means never')
    // 0 switches most limits off: what is not zero must not become it.
    return ms > 0 ? Math.max(1, Math.round(ms)) : 0
  }),
  format: (ms) => formatUnit(ms, MS_PER_UNIT),
}

/** In the largest unit that makes it a whole number. */
function formatUnit(amount: number, units: Readonly<Record<string, number>>): string {
  const whole = Object.entries(units).filter(([, size]) => amount > 0 && amount % size === 0)
  const [unit, size] = whole.at(-1) ?? ['', 1]
  return `${amount / size}${unit}`
}

const BYTES_PER_UNIT: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

export const byteSize: Kind<number, string | number> = {
  placeholder: 'SIZE',
  expected: 'a size in bytes, or with a unit of 1024, such as 65536, 64k, 100m or 2g',
  schema: read(textOrNumber, (raw, refuse) => {
    const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(String(raw).trim())
    const bytes = Math.round(Number(match?.[1]) * (BYTES_PER_UNIT[(match?.[2] ?? '').toLowerCase()] ?? Number.NaN))
    return Number.isSafeInteger(bytes) ? bytes : refuse()
  }),
  format: (bytes) => formatUnit(bytes, BYTES_PER_UNIT),
}

export function count(minimum: number, maximum = Number.MAX_SAFE_INTEGER): Kind<number, string | number> {
  const bounds =
    maximum === Number.MAX_SAFE_INTEGER ? `${minimum} or more` : `from ${minimum.toString()} to ${maximum.toString()}`
  return {
    placeholder: 'NUMBER',
    expected: `a whole number, ${bounds}`,
    schema: read(textOrNumber, (raw, refuse) => {
      const text = String(raw).trim()
      const number = Number(text)
      const fits = /^\d+$/.test(text) && number >= minimum && number <= maximum
      return fits ? number : refuse()
    }),
  }
}

/** A worker costs 40 MB and more: four digits are a typing error. */
export const MAX_WORKERS = 1024

export const workerCount: Kind<number, string | number> = {
  placeholder: 'N|auto',
  expected: `auto, or a whole number from 1 to ${MAX_WORKERS}`,
  schema: read(textOrNumber, (raw, refuse) => {
    if (raw === 'auto') return allowedCpus()
    const number = count(1, MAX_WORKERS).schema.safeParse(raw)
    return number.success ? number.data : refuse()
  }),
}

export const octalMode: Kind<number, string | number> = {
  placeholder: 'MODE',
  expected: 'an octal file mode such as 0660',
  format: (mode) => `0${mode.toString(8)}`,
  schema: read(textOrNumber, (raw, refuse) => {
    if (typeof raw === 'number') {
      const fits = Number.isInteger(raw) && raw >= 0 && raw <= 0o777
      return fits ? raw : refuse(`${raw} is no mode between 0 and 0o777; write '0660' or 0o660`)
    }
    return /^(?:0o?)?[0-7]{1,3}$/.test(raw.trim())
      ? Number.parseInt(raw.trim().replace(/^0o?/, '') || '0', 8)
      : refuse()
  }),
}

/** Text in the form of `formatAddress`. */
export const address: Kind<string, string> = {
  placeholder: 'ADDR',
  expected: `an address: ${ADDRESS_FORMS}`,
  schema: read(z.string(), (raw, refuse) => {
    const parsed = parseAddress(raw.trim())
    return typeof parsed === 'string' ? refuse(parsed) : formatAddress(parsed)
  }),
  anchor: (value, folder) => {
    const parsed = parseAddress(value)
    if (typeof parsed === 'string' || parsed.kind !== 'unix') return value
    return formatAddress({ kind: 'unix', path: resolve(folder, parsed.path) })
  },
}

/** As written; one address is a network of one. */
export const cidr: Kind<string, string> = {
  placeholder: 'CIDR',
  expected: 'a network or an address, such as 10.0.0.0/8, 192.0.2.7 or fd00::/8',
  schema: read(z.string(), (raw, refuse) => {
    const [ip = '', prefix, ...rest] = raw.trim().split('/')
    const bits = { 0: -1, 4: 32, 6: 128 }[isIP(ip)] ?? -1
    if (bits < 0 || rest.length > 0) return refuse()
    if (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)) {
      return refuse(`the prefix length of ${ip} is a number from 0 to ${bits}`)
    }
    return raw.trim()
  }),
}

export const text: Kind<string, string> = {
  placeholder: 'TEXT',
  expected: 'text that is not empty',
  schema: read(z.string(), (raw, refuse) => (raw.trim() === '' || raw.includes('\0') ? refuse() : raw)),
}

/** A file or folder. */
export function path(placeholder: 'FILE' | 'DIR'): Kind<string, string> {
  return {
    ...text,
    placeholder,
    expected: placeholder === 'DIR' ? 'a folder' : 'the path of a file',
    anchor: (value, folder) => resolve(folder, value),
  }
}

/** A name or a number. Whether it exists is known where it is used. */
export function account(placeholder: 'USER' | 'GROUP'): Kind<string, string | number> {
  return {
    placeholder,
    expected: `a ${placeholder.toLowerCase()} by name or number`,
    schema: read(textOrNumber, (raw, refuse) =>
      /^(?:\d+|[A-Za-z_][A-Za-z0-9_.-]*\$?)$/.test(String(raw)) ? String(raw) : refuse(),
    ),
  }
}

/** `/shop`: what a request path begins with; no slash at its end. */
export const urlPrefix: Kind<string, string> = {
  placeholder: 'PATH',
  expected: 'a path prefix such as /shop, without a slash at its end',
  schema: read(z.string(), (raw, refuse) => (/^\/[^?#\s]*[^/?#\s]$/.test(raw) && !raw.includes('//') ? raw : refuse())),
}

export const nameValue: Kind<string, string> = {
  placeholder: 'NAME=VALUE',
  expected: 'a variable and its value, as in NAME=VALUE',
  schema: read(z.string(), (raw, refuse) => (/^[A-Za-z_][A-Za-z0-9_]*=[^\0]*$/.test(raw) ? raw : refuse())),
}

export function choice<const Name extends string>(names: readonly [Name, ...Name[]]): Kind<Name, Name> {
  return {
    placeholder: 'NAME',
    expected: `one of ${names.join(', ')}`,
    choices: names,
    schema: read(z.custom<Name>(isPresent), (raw, refuse) => {
      if (names.includes(raw)) return raw
      const close = typeof raw === 'string' ? nearest(raw, names) : undefined
      return refuse(close && `there is no ${describe(raw)}; did you mean ${close}?`)
    }),
  }
}

const FLAG_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['1', true],
  ['true', true],
  ['yes', true],
  ['on', true],
  ['0', false],
  ['false', false],
  ['no', false],
  ['off', false],
])

export const flag: Kind<boolean, string | boolean> = {
  placeholder: '',
  expected: 'true or false',
  schema: read(z.union([z.string(), z.boolean()]), (raw, refuse) => {
    if (typeof raw === 'boolean') return raw
    return FLAG_WORDS.get(raw.trim().toLowerCase()) ?? refuse()
  }),
}

/** Not given means `undefined`. */
export function optional<Out, In>(kind: Kind<Out, In>): Kind<Out | undefined, In> {
  return {
    ...wordsOf(kind),
    absent: undefined,
    format: (value) => (value === undefined ? '' : (kind.format?.(value) ?? String(value))),
    anchor: (value, folder) => (value === undefined ? undefined : (kind.anchor?.(value, folder) ?? value)),
  }
}

/** Given as often as wanted; in a file an array, or one alone. */
export function list<Out, In>(kind: Kind<Out, In>, separator = /[\s,]+/): Kind<readonly Out[], In | readonly In[]> {
  const input = z.custom<In | readonly In[]>(isPresent)
  const schema = read(input, (raw, refuse) =>
    (isMany(raw) ? raw : [raw]).flatMap((item) => readItem(kind, item, refuse)),
  )
  return {
    ...wordsOf(kind),
    schema,
    absent: [],
    separator,
    format: (values) => values.map((value) => kind.format?.(value) ?? String(value)).join(' '),
    anchor: (values, folder) => values.map((value) => kind.anchor?.(value, folder) ?? value),
  }
}

/** What a kind made from another keeps: all but the methods, which take its values. */
function wordsOf<Out, In>(kind: Kind<Out, In>): Omit<Kind<Out, In>, 'format' | 'anchor' | 'absent'> {
  const { format: _format, anchor: _anchor, absent: _absent, ...words } = kind
  return words
}

function isPresent(raw: unknown): boolean {
  return raw !== undefined && raw !== null
}

function isMany<In>(raw: In | readonly In[]): raw is readonly In[] {
  return Array.isArray(raw)
}

function readItem<Out, In>(kind: Kind<Out, In>, item: unknown, refuse: Refuse): Out[] {
  const result = readValue(kind, item)
  if (result.ok) return [result.value]
  for (const words of result.problems) refuse(words)
  return []
}

type VariableRecord = Readonly<Record<string, string | number | boolean | undefined>>

/** Lists of NAME=VALUE may be an object in a file: `env: { NAME: 'VALUE' }`, where `undefined` is no variable. */
export function variables(): Kind<readonly string[], string | readonly string[] | VariableRecord> {
  const many = list(nameValue, /\n+/)
  const input = z.custom<string | readonly string[] | VariableRecord>(isPresent)
  const schema = read(input, (raw, refuse) => {
    const isRecord = typeof raw === 'object' && !Array.isArray(raw)
    const pairs = isRecord ? Object.entries(raw).flatMap(([name, value]) => readPair(name, value, refuse)) : raw
    return readItem(many, pairs, refuse)[0] ?? []
  })
  // A list that is shown or logged must not show secrets.
  return { ...many, schema, format: (pairs) => pairs.map((pair) => pair.replace(/=.*$/s, '=...')).join(' ') }
}

/** @param value of a file: of any type */
function readPair(name: string, value: unknown, refuse: Refuse): string[] {
  const isText = ['string', 'number', 'boolean'].includes(typeof value)
  if (!isText && value !== undefined) {
    refuse(`${name}: expected a string, a number or a boolean, not ${describe(value)}`)
  }
  return isText ? [`${name}=${value}`] : []
}

type ReadValue<Out> =
  | { readonly ok: true; readonly value: Out }
  | { readonly ok: false; readonly problems: readonly string[] }

/** Reads a value of unknown type; the problems complete "NAME: ...". */
export function readValue<Out, In>(kind: Kind<Out, In>, raw: unknown): ReadValue<Out> {
  const result = kind.schema.safeParse(raw)
  if (result.success) return { ok: true, value: result.data }
  // What zod says of types is replaced: an operator reads it.
  const problems = result.error.issues.map((issue) => {
    const words: unknown = issue.code === 'custom' ? issue.params?.['words'] : undefined
    return typeof words === 'string' ? words : `expected ${kind.expected}, not ${describe(raw)}`
  })
  return { ok: false, problems }
}
