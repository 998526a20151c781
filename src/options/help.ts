/** The option table as people read it: the text of `--help` and the page docs/options.md. */

import { type AnyOption, OPTION_LIST, OTHER_VARIABLES } from './option-list.ts'
import { SECTIONS } from './row.ts'
import type { Options } from './table.ts'

/** `--workers N|auto` */
function flagUsage({ flag, kind }: AnyOption): string {
  return kind.placeholder === '' ? flag : `${flag} ${kind.placeholder}`
}

/**
 * What it does, the values there are, and what is used without it.
 * @param preset what a command puts in the place of the default; `undefined` and an empty list are shown as nothing
 */
export function helpText(option: AnyOption, preset: Partial<Options> = {}): string {
  const choices = option.kind.choices === undefined ? [] : [`One of ${option.kind.choices.join(', ')}.`]
  const value = option.key in preset ? presetText(option, preset[option.key]) : String(option.default ?? '')
  const fallback = value === '' || value === 'false' ? [] : [`[${value}]`]
  return [option.help, ...choices, ...fallback].join(' ')
}

function presetText({ kind }: AnyOption, value: unknown): string {
  return value === undefined ? '' : (kind.format?.(value) ?? String(value))
}

/** docs/options.md */
export function optionsPage(): string {
  const lines = [
    '# Options',
    '',
    'Every option can be given in four ways: as a flag (`--graceful-timeout 30`), as an environment variable',
    '(`TSGI_GRACEFUL_TIMEOUT=30`), and as a key in `tsgi.config.ts` (`gracefulTimeout: 30`); where it is given nowhere, its',
    'default counts. A flag beats a variable, a variable beats the file, and the file beats the default. `tsgi check` prints',
    'every value with the place it came from.',
    '',
    'The configuration file is `tsgi.config.ts`, `.js`, `.mjs` or `.json` in the folder where tsgi is started:',
    '',
    '```ts',
    "import { defineConfig } from 'tsgi'",
    '',
    'export default defineConfig({',
    "  uwsgi: '/run/app/app.sock',",
    '  workers: 4,',
    "  maxBody: '20m',",
    "  gracefulTimeout: '45s',",
    "  env: { TZ: 'UTC' },",
    '})',
    '```',
    '',
    'Durations are seconds, or a number with its unit (`500ms`, `2m`, `1h`). Sizes are bytes, or a number with a unit of 1024',
    '(`64k`, `100m`, `2g`). A repeatable option takes an array in a file, and in its variable several values separated by',
    'commas (`TSGI_ENV`: by line ends). `HUP` says whether a reload takes a new value; the others need a restart, and a reload',
    'that finds one of them changed goes on with the old value and says so, in the log and to `tsgi ctl reload`.',
  ]
  for (const section of SECTIONS) {
    const options = OPTION_LIST.filter((option) => option.section === section && option.hidden === undefined)
    if (options.length === 0) continue
    lines.push('', `## ${section}`, '', '| Flag | Key | Default | HUP | |', '|---|---|---|---|---|')
    lines.push(...options.map(optionRow))
  }
  lines.push('', '## Other variables', '', '| Variable | |', '|---|---|')
  lines.push(...Object.entries(OTHER_VARIABLES).map(([name, help]) => `| \`${name}\` | ${escapeCell(help)} |`))
  return `${lines.join('\n')}\n`
}

function optionRow(option: AnyOption): string {
  const choices = option.kind.choices === undefined ? '' : ` One of ${option.kind.choices.map(code).join(', ')}.`
  const cells = [
    code(flagUsage(option)),
    option.notInFile === undefined ? code(option.configKey) : '',
    option.default === undefined ? '' : code(String(option.default)),
    option.reload ? 'yes' : '',
    escapeCell(option.help) + choices,
  ]
  return `| ${cells.join(' | ')} |`
}

function code(text: string): string {
  return `\`${escapeCell(text)}\``
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
