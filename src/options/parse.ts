/**
 * Raw values from the command line, the environment and a configuration file become `Options`. A flag beats a variable, a
 * variable beats the command's own preset, that beats the file, and the file beats the default. Every problem is reported at
 * once, with the place it came from.
 */

import { resolve } from 'node:path'
import { TsgiError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { readValue } from './kinds.ts'
import { type AnyOption, OPTION_LIST, OTHER_VARIABLES } from './option-list.ts'
import type { Parsed, Source } from './parsed.ts'
import { findProblems } from './rules.ts'
import type { OptionKey, Options } from './table.ts'

export interface RawSources {
  /** By key; text, text for each repetition, or true and false. */
  readonly flags: ReadonlyMap<OptionKey, string | boolean | readonly string[]>
  /** Flags that no option has, as written. */
  readonly unknownFlags?: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What the command itself wants where neither flag nor variable says otherwise. */
  readonly preset?: { readonly name: string; readonly values: Partial<Options> }
  readonly file?: { readonly path: string; readonly values: Readonly<Record<string, unknown>> }
  /** Relative paths start here, or in `--chdir`, which itself starts here. */
  readonly cwd: string
  /** Where they start instead, whatever `--chdir` says now: absolute, the folder of a master that runs. */
  readonly folder?: string
  /** What the command asks for beyond the rules of the table: one line for each problem. */
  readonly rules?: readonly ((parsed: Parsed) => readonly string[])[]
}

/** @throws TsgiError TSGI_USAGE with one line for each problem */
export function parseOptions(raw: RawSources): Parsed {
  const problems = [...unknownFlags(raw), ...unknownVariables(raw.environment), ...unknownKeys(raw.file)]
  const values = new Map<OptionKey, unknown>()
  const sources = new Map<OptionKey, Source>()
  for (const option of OPTION_LIST) {
    const found = findRaw(option, raw)
    sources.set(option.key, found.source)
    if (found.ready) {
      values.set(option.key, found.raw)
      continue
    }
    const result = readValue(option.kind, found.raw)
    if (result.ok) values.set(option.key, result.value)
    else problems.push(...result.problems.map((text) => `${found.source.name}: ${text}`))
  }
  if (problems.length > 0) throw usageError(problems)
  // Every row put its value here, read by its own kind: this is the record that the table describes.
  const options = withAbsolutePaths(values, raw) as unknown as Options
  const parsed = { options, sources: Object.fromEntries(sources) as unknown as Parsed['sources'] }
  const broken = [...findProblems(parsed), ...(raw.rules ?? []).flatMap((rule) => rule(parsed))]
  if (broken.length > 0) throw usageError(broken)
  return parsed
}

export function usageError(problems: readonly string[]): TsgiError {
  return new TsgiError('TSGI_USAGE', problems.join('\n'))
}

interface Found {
  readonly raw: unknown
  readonly source: Source
  /** `raw` is the value itself, not something to read. */
  readonly ready: boolean
}

function findRaw(option: AnyOption, { flags, environment, preset, file }: RawSources): Found {
  const flag = flags.get(option.key)
  if (flag !== undefined) return { raw: flag, source: { kind: 'flag', name: option.flag }, ready: false }

  const text = environment[option.variable]
  // `TSGI_USER= tsgi serve ...` unsets: an empty variable is as good as none.
  if (text !== undefined && text !== '' && !isOfService(option.variable, text)) {
    const separator = option.kind.separator
    const values = separator === undefined ? text : text.split(separator).filter((part) => part !== '')
    return { raw: values, source: { kind: 'variable', name: option.variable }, ready: false }
  }

  if (preset !== undefined && option.key in preset.values) {
    return { raw: preset.values[option.key], source: { kind: 'preset', name: preset.name }, ready: true }
  }

  const written = file?.values[option.configKey]
  if (file !== undefined && written !== undefined && option.notInFile === undefined) {
    return { raw: written, source: { kind: 'file', name: `${option.configKey} in ${file.path}` }, ready: false }
  }

  const source: Source = { kind: 'default', name: 'default' }
  if (option.default === undefined) return { raw: option.kind.absent, source, ready: true }
  return { raw: option.default, source, ready: false }
}

function unknownFlags({ unknownFlags = [] }: RawSources): string[] {
  const flags = OPTION_LIST.filter((option) => option.hidden === undefined).map((option) => option.flag)
  return unknownFlags.map((flag) => {
    const known = OPTION_LIST.find((option) => option.flag === flag)
    if (known === undefined || known.hidden) return `${flag}: there is no such option${didYouMean(flag, flags)}`
    // `--proxy-protocol=yes`, or `tsgi ctl --workers 4`.
    return known.kind.placeholder === '' ? `${flag}: takes no value` : `${flag}: is no option of this command`
  })
}

function unknownVariables(environment: RawSources['environment']): string[] {
  const known = [...OPTION_LIST.map((option) => option.variable), ...Object.keys(OTHER_VARIABLES)]
  const ours = Object.entries(environment).filter(([name]) => /^TSGI_(?!TEST_)/.test(name))
  const names = ours.flatMap(([name, text]) => (known.includes(name) || isOfService(name, text) ? [] : [name]))
  return names.map((name) => `${name}: there is no such variable of tsgi${didYouMean(name, known)}`)
}

const OF_SERVICE = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/

/** Kubernetes tells every container of the services beside it, and one of them may be called tsgi: TSGI_PORT=tcp://10.0.0.1:80. */
function isOfService(name: string, text = ''): boolean {
  return OF_SERVICE.test(name) || (name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(text))
}

function unknownKeys(file: RawSources['file']): string[] {
  if (file === undefined) return []
  const known = OPTION_LIST.filter((option) => option.notInFile === undefined).map((option) => option.configKey)
  const names = Object.keys(file.values).filter((name) => !known.includes(name))
  return names.map((name) => {
    const misplaced = OPTION_LIST.find((option) => option.configKey === name)
    // Who has read `Options` writes its field, with the unit.
    const field = OPTION_LIST.find((option) => option.key === name)
    const where = `${name} in ${file.path}`
    if (misplaced !== undefined) return `${where}: only ${misplaced.flag} and ${misplaced.variable} can say this`
    return `${where}: there is no such key${didYouMean(field?.configKey ?? name, known)}`
  })
}

function didYouMean(name: string, candidates: readonly string[]): string {
  const close = nearest(name, candidates)
  return close === undefined ? '' : `; did you mean ${close}?`
}

/** A daemon's paths must mean the same wherever and whenever they are read. */
function withAbsolutePaths(
  values: ReadonlyMap<OptionKey, unknown>,
  { cwd, folder }: RawSources,
): Record<string, unknown> {
  const chdir = values.get('chdir')
  const wanted = typeof chdir === 'string' ? resolve(cwd, chdir) : undefined
  const base = folder ?? wanted ?? cwd
  const anchored = OPTION_LIST.map(({ key, kind }): [OptionKey, unknown] => {
    // The configuration file was found before --chdir could be known.
    const start = key === 'config' ? cwd : base
    const value = values.get(key)
    return [key, kind.anchor === undefined ? value : kind.anchor(value, start)]
  })
  return { ...Object.fromEntries(anchored), ...(wanted === undefined ? {} : { chdir: wanted }) }
}
