/**
 * `tsgi check [APP]`: the effective configuration with the place each value came from, whether the application loads, and
 * whether it keeps the rules of the interface for the requests one names.
 */

import { resolve } from 'node:path'
import { rehearseStart } from '../master/rehearsal.ts'
import { type Loaded, loadOptions } from '../options/load.ts'
import { type AnyOption, OPTION_LIST } from '../options/option-list.ts'
import { usageError } from '../options/parse.ts'
import { namedApplication } from './application-run.ts'
import { type Checked, checkApplication } from './check-application.ts'
import type { CheckedRequest } from './check-messages.ts'
import { checkRequests } from './check-requests.ts'
import { START_RULES } from './start-rules.ts'
import { refuseExtras, type Subcommand, VISIBLE_OPTIONS } from './subcommand.ts'
import { columns, paint, print } from './terminal.ts'

export const check: Subcommand = {
  name: 'check',
  operands: '[APP]',
  summary: 'Show the effective configuration, and whether the application loads and keeps the rules.',
  description:
    'Reads the configuration as `tsgi serve` would with the same flags, prints every value with the place it came from, ' +
    'looks at the files, folders and accounts that they name, then loads the application in a process of its own and says ' +
    'what it exports. Nothing listens, and no request is made unless --request names one: then each is made without a ' +
    'socket, and every rule of the interface is checked on the way in and out. Exit code 0: all is well. 1: a rule is ' +
    'broken, or a request failed, be it with a 5xx. 2: the configuration is wrong. 3: the application does not load. 4: an address cannot be bound.',
  options: VISIBLE_OPTIONS,
  extras: [
    {
      usage: '--request <PATH>',
      help: 'GET this path of the application, and check the interface meanwhile. Repeatable. It runs for real: what the application does to its database, it does.',
      repeatable: true,
    },
    { usage: '--json', help: 'Print everything as JSON.' },
  ],
  examples: [
    { command: 'tsgi check app.ts', explanation: 'Before a deployment.' },
    { command: 'tsgi check app.ts --request / --request /health', explanation: 'Besides, two requests.' },
    { command: 'tsgi check --config production.ts --json', explanation: 'The configuration alone, for a script.' },
  ],
  run: async (invocation) => {
    refuseExtras(invocation, 1, 'one application is checked at a time')
    const loaded = await loadOptions({ ...invocation.input, rules: START_RULES })
    const { options } = loaded
    rehearseStart(options)
    const named = namedApplication(invocation.operands, options)
    const application = named === undefined ? undefined : resolve(options.chdir ?? invocation.input.cwd, named)
    const { environment } = invocation.input
    const checked = application === undefined ? undefined : await checkApplication(application, options, environment)
    const paths = requestPaths(invocation.extras['request'], application)
    const asked = application !== undefined && checked?.ok === true && paths.length > 0
    const requests = asked ? await checkRequests(application, paths, options, environment) : []
    if (invocation.extras['json'] === true) {
      const about = { path: application, ...checked, requests }
      print(JSON.stringify({ ...configurationRows(loaded), application: about }, undefined, 2))
    } else {
      print(configurationText(loaded))
      if (application !== undefined && checked !== undefined) print(`\n${applicationText(application, checked)}`)
      if (checked?.ok === true) print(asked ? `\n${requestsText(requests)}` : NOT_ASKED)
    }
    if (checked?.ok === false) return checked.exitCode
    return requests.some((request) => request.problems.length > 0 || isServerError(request)) ? 1 : 0
  },
}

const NOT_ASKED = '  no request was made: --request PATH makes one, and checks every rule of the interface'

/** @throws TsgiError TSGI_USAGE */
function requestPaths(given: unknown, application: string | undefined): string[] {
  // Texts, as the flag is repeatable.
  const paths = Array.isArray(given) ? given.map(String) : []
  const problems = paths
    .filter((path) => !isRequestPath(path))
    .map((path) => `--request: ${JSON.stringify(path)} is no path; it begins with a slash, percent-encoded`)
  if (paths.length > 0 && application === undefined) problems.push('--request: no application is named')
  if (problems.length > 0) throw usageError(problems)
  return paths
}

function isRequestPath(path: string): boolean {
  if (!/^\/[!-~]*$/.test(path)) return false
  try {
    decodeURIComponent(path)
    return true
  } catch {
    // A lone percent sign, or bytes that are no UTF-8.
    return false
  }
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

function requestsText(requests: readonly CheckedRequest[]): string {
  const rows = requests.map((request) => {
    const { path, status, bytes, durationMs } = request
    return [`  ${path}`, status || 'no response', `${bytes} bytes`, `${Math.round(durationMs)} ms`, verdict(request)]
  })
  const lines = columns(rows).split('\n')
  const indented = (text: string, label: string) => `    ${label}: ${text.replaceAll('\n', '\n    ')}`
  const blocks = requests.map(({ problems, warnings }, index) => [
    lines[index] ?? '',
    ...problems.map((text) => indented(text, 'problem')),
    ...warnings.map((text) => indented(text, 'warning')),
  ])
  return `${paint('bold', 'requests')} GET, without a socket\n${blocks.flat().join('\n')}`
}

function verdict(request: CheckedRequest): string {
  if (request.problems.length > 0) return paint('red', 'breaks the rules, or fails')
  return isServerError(request) ? paint('red', 'keeps the rules, but fails (5xx)') : 'keeps the rules'
}

/** Also where the application, or its framework, makes the page of the error itself. */
function isServerError({ status }: CheckedRequest): boolean {
  return status.startsWith('5')
}
