/** `tsgi check [APP]`: the effective configuration with the place each value came from, and whether the application loads. */

import { resolve } from 'node:path'
import { type Loaded, loadOptions } from '../options/load.ts'
import { type AnyOption, OPTION_LIST } from '../options/option-list.ts'
import { namedApplication } from './application-run.ts'
import { type Checked, checkApplication } from './check-application.ts'
import { refuseExtras, type Subcommand, VISIBLE_OPTIONS } from './subcommand.ts'
import { columns, paint, print } from './terminal.ts'

export const check: Subcommand = {
  name: 'check',
  operands: '[APP]',
  summary: 'Show the effective configuration and whether the application loads.',
  description:
    'Reads the configuration as `tsgi serve` would with the same flags, prints every value with the place it came from, ' +
    'then loads the application in a process of its own and says what it exports. Nothing listens. Exit code 0: all is ' +
    'well. 2: the configuration is wrong. 3: the application does not load.',
  options: VISIBLE_OPTIONS,
  extras: [{ usage: '--json', help: 'Print the values and their sources as JSON.' }],
  examples: [
    { command: 'tsgi check app.ts', explanation: 'Before a deployment.' },
    { command: 'tsgi check --config production.ts --json', explanation: 'The configuration alone, for a script.' },
  ],
  run: async (invocation) => {
    refuseExtras(invocation, 1, 'one application is checked at a time')
    const loaded = await loadOptions(invocation.input)
    const { options } = loaded
    const named = namedApplication(invocation.operands, options)
    const application = named === undefined ? undefined : resolve(options.chdir ?? invocation.input.cwd, named)
    const checked =
      application === undefined ? undefined : await checkApplication(application, options, invocation.input.environment)
    if (invocation.extras['json'] === true) {
      print(
        JSON.stringify({ ...configurationRows(loaded), application: { path: application, ...checked } }, undefined, 2),
      )
    } else {
      print(configurationText(loaded))
      if (application !== undefined && checked !== undefined) print(`\n${applicationText(application, checked)}`)
    }
    return checked === undefined || checked.ok ? 0 : checked.exitCode
  },
}

/** What somebody has set first: that is what one looks for. */
function configurationText({ options, sources, configPath }: Loaded): string {
  const row = (option: AnyOption): string[] => {
    const value: unknown = options[option.key]
    const isAbsent = value === undefined || (Array.isArray(value) && value.length === 0)
    return [
      `  ${option.configKey}`,
      isAbsent ? '-' : (option.kind.format?.(value) ?? String(value)),
      sources[option.key].name,
    ]
  }
  const isSet = (option: AnyOption) => sources[option.key].kind !== 'default'
  const shown = OPTION_LIST.filter((option) => option.hidden === undefined)
  const rows = [...shown.filter(isSet), ...shown.filter((option) => !isSet(option))].map(row)
  return `${paint('bold', 'configuration')} ${configPath ?? '(no tsgi.config file)'}\n${columns(rows)}`
}

function configurationRows({ options, sources, configPath }: Loaded): Record<string, unknown> {
  const shown = OPTION_LIST.filter((option) => option.hidden === undefined)
  const values = shown.map(({ key, configKey }) => [
    configKey,
    { value: options[key] ?? null, source: sources[key].name },
  ])
  return { file: configPath ?? null, options: Object.fromEntries(values) }
}

function applicationText(application: string, checked: Checked): string {
  const heading = `${paint('bold', 'application')} ${application}`
  if (checked.ok) return `${heading}\n  loads as ${checked.interface} in ${Math.round(checked.bootMs)} ms`
  return `${heading}\n  does not load: ${[checked.message, checked.stack].filter(Boolean).join('\n')}`
}
