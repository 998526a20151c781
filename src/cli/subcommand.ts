/** What a subcommand is, and how one becomes a command of commander. */

import { Command, Option } from 'commander'
import { helpText } from '../options/help.ts'
import type { LoadInput } from '../options/load.ts'
import { type AnyOption, OPTION_LIST } from '../options/option-list.ts'
import { usageError } from '../options/parse.ts'
import { SECTIONS } from '../options/row.ts'
import type { OptionKey, Options } from '../options/table.ts'
import { wrappedColumns } from './terminal.ts'

export interface Subcommand {
  readonly name: string
  /** For help: `[APP]`, `COMMAND [VALUE]`. Checked by `run`, so that all problems come together. */
  readonly operands: string
  /** One line, for the list of commands. */
  readonly summary: string
  /** The whole story, for its own help. */
  readonly description: string
  /** The options of the table that it takes. */
  readonly options: readonly AnyOption[]
  /** Its own defaults, for help. */
  readonly preset?: Partial<Options>
  /** Flags of its own, which are no options of a server. */
  readonly extras?: readonly Extra[]
  /** Shown between the options and the examples. */
  readonly notes?: () => string
  readonly examples: readonly Example[]
  /** @returns the exit code. @throws TsgiError */
  readonly run: (invocation: Invocation) => Promise<number>
}

export interface Extra {
  /** `--json`, `--files <DIR>` */
  readonly usage: string
  readonly help: string
  /** Its value is an array of texts. */
  readonly repeatable?: true
}

export interface Example {
  readonly command: string
  readonly explanation: string
}

export interface Invocation {
  readonly operands: readonly string[]
  /** For `loadOptions`. */
  readonly input: LoadInput
  /** Values of `extras`, by the flag's name in camelCase. */
  readonly extras: Readonly<Record<string, unknown>>
}

interface Surroundings {
  /** The command line after `tsgi`. */
  readonly words: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export const VISIBLE_OPTIONS: readonly AnyOption[] = OPTION_LIST.filter((option) => option.hidden === undefined)

export function toCommand(
  subcommand: Subcommand,
  { words, environment, cwd }: Surroundings,
  settle: (code: Promise<number>) => void,
): Command {
  const command = new Command(subcommand.name)
    .summary(subcommand.summary)
    .description(subcommand.description)
    .usage(`${subcommand.operands} [options]`)
    // An unknown flag is reported together with every other problem, not alone.
    .allowUnknownOption()
    .helpOption('-h, --help', 'Show this help.')
  for (const extra of subcommand.extras ?? []) command.addOption(extraOption(extra))
  for (const option of inSectionOrder(subcommand.options)) command.addOption(commanderOption(option, subcommand.preset))
  if (subcommand.notes !== undefined) command.addHelpText('after', `\n${subcommand.notes()}`)
  if (subcommand.options.length > TERSE_OPTIONS) command.addHelpText('after', SOURCES_NOTE)
  if (subcommand.examples.length > 0) command.addHelpText('after', examplesText(subcommand.examples))
  return command.action(() => {
    const literal = wordsAfterDashes(words, command.args)
    const { operands, unknownFlags } = sortOperands(command.args.slice(0, command.args.length - literal.length))
    const input = { flags: givenFlags(command, subcommand.options), unknownFlags, environment, cwd }
    settle(subcommand.run({ operands: [...operands, ...literal], input, extras: command.opts() }))
  })
}

/** For commands that take fewer operands than were given, and commands that parse no options. */
export function refuseExtras({ operands, input }: Invocation, maxOperands: number, what: string): void {
  const flags = input.unknownFlags ?? []
  // After an unknown flag its value looks like an operand.
  if (flags.length > 0 || operands.length <= maxOperands) return
  const extras = operands.slice(maxOperands)
  const remedy = extras.some(isFlag) ? ': after -- nothing is an option, so options come before it' : ''
  throw usageError([`${what}; ${extras.join(' ')} is too much${remedy}`])
}

/** A command with no more options than these is no place to explain how options are written. */
const TERSE_OPTIONS = 4

const SOURCES_NOTE = `
Each option is also a key in tsgi.config.ts (gracefulTimeout: 30) and a variable
(TSGI_GRACEFUL_TIMEOUT=30). A flag beats a variable, which beats the file.
Sizes: 65536, 64k, 100m. Durations: 30 (seconds), 500ms, 2m.
ADDR: /run/app.sock, unix:/run/app.sock, 127.0.0.1:9000, [::1]:9000,
:9000 (all interfaces), fd:3 (inherited).`

function examplesText(examples: readonly Example[]): string {
  const blocks = examples.map(({ command, explanation }) => `  ${command}\n${wrappedColumns([['    ', explanation]])}`)
  return `\nExamples:\n${blocks.join('\n')}`
}

function inSectionOrder(options: readonly AnyOption[]): AnyOption[] {
  return options.toSorted((a, b) => SECTIONS.indexOf(a.section) - SECTIONS.indexOf(b.section))
}

function commanderOption(option: AnyOption, preset: Subcommand['preset']): Option {
  const value = option.kind.placeholder === '' ? '' : ` <${option.kind.placeholder}>`
  const result = new Option(`${option.flag}${value}`, helpText(option, preset)).helpGroup(`${option.section}:`)
  if (option.hidden) result.hideHelp()
  return option.kind.separator === undefined ? result : result.argParser(collect)
}

function extraOption({ usage, help, repeatable }: Extra): Option {
  const result = new Option(usage, help)
  return repeatable ? result.argParser(collect) : result
}

function collect(text: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), text]
}

function givenFlags(command: Command, options: readonly AnyOption[]): LoadInput['flags'] {
  const flags = new Map<OptionKey, string | boolean | readonly string[]>()
  for (const { key, configKey } of options) {
    // Text, an array of it from argParser, or true for a flag without a value: what commanderOption made it.
    const value: string | boolean | readonly string[] | undefined = command.getOptionValue(configKey)
    if (value !== undefined) flags.set(key, value)
  }
  return flags
}

const isFlag = (word: string): boolean => /^-./.test(word)

/** What stands after `--`, of which commander leaves no trace. Where options follow, it was the value of one (`--access-log --`). */
function wordsAfterDashes(words: readonly string[], left: readonly string[]): readonly string[] {
  const at = words.indexOf('--')
  const after = at < 0 ? [] : words.slice(at + 1)
  return after.every((word, index) => left.at(index - after.length) === word) ? after : []
}

/** commander leaves what it does not know among the arguments. */
function sortOperands(words: readonly string[]): { operands: string[]; unknownFlags: string[] } {
  return {
    operands: words.filter((word) => !isFlag(word)),
    unknownFlags: words.filter(isFlag).map((word) => word.replace(/=.*$/s, '')),
  }
}
