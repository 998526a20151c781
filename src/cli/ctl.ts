/** `tsgi ctl COMMAND`: asks a running master over its control socket; the exit code tells the outcome. */

import { controlRequest } from '../master/control-client.ts'
import { CONTROL_COMMANDS, type ControlCommand, type ControlCommandName } from '../master/control-messages.ts'
import { nearest } from '../nearest.ts'
import { count, MAX_WORKERS, readValue } from '../options/kinds.ts'
import { type LoadInput, loadOptions } from '../options/load.ts'
import { parseOptions, usageError } from '../options/parse.ts'
import type { OptionKey } from '../options/table.ts'
import { resultText } from './result-text.ts'
import { type Invocation, refuseExtras, type Subcommand, VISIBLE_OPTIONS } from './subcommand.ts'
import { paintError, print, printError, wrappedColumns } from './terminal.ts'

const TAKEN: readonly OptionKey[] = ['control', 'config', 'chdir']

export const ctl: Subcommand = {
  name: 'ctl',
  operands: 'COMMAND [VALUE]',
  summary: 'Ask or command a running tsgi over its control socket.',
  description:
    'Sends COMMAND to the tsgi that was started with the same --control address, waits for the outcome, and ends with ' +
    'an exit code that tells it. Where the address is in tsgi.config.ts or TSGI_CONTROL it need not be repeated; where it ' +
    'is given, the file is not read.',
  options: VISIBLE_OPTIONS.filter((option) => TAKEN.includes(option.key)),
  extras: [{ usage: '--json', help: 'Print the answer as JSON.' }],
  notes: () =>
    `Commands:\n${wrappedColumns(Object.entries(CONTROL_COMMANDS).map(([name, row]) => [`  ${usage(name, row)}`, row.help]))}`,
  examples: [
    { command: 'tsgi ctl status --control /run/app/ctl.sock', explanation: 'What runs, and the workers one by one.' },
    {
      command: 'tsgi ctl reload --control /run/app/ctl.sock && echo deployed',
      explanation: 'Reload; when the new code does not load, the old keeps serving and this fails with its stack.',
    },
  ],
  run: async (invocation) => {
    const command = readCommand(invocation)
    const control = await controlAddress(invocation.input)
    if (control === undefined) throw usageError([NO_CONTROL])
    const inJson = invocation.extras['json'] === true
    return carryOut(control, command, inJson)
  },
}

/** @throws TsgiError TSGI_USAGE */
async function controlAddress(input: LoadInput): Promise<string | undefined> {
  const { TSGI_CONTROL, TSGI_CHDIR } = input.environment
  const isGiven = input.flags.has('control') || (TSGI_CONTROL ?? '') !== ''
  // A broken configuration is no reason not to reach the tsgi that was started with a good one.
  const { options } = isGiven
    ? parseOptions({ ...input, environment: { TSGI_CONTROL, TSGI_CHDIR } })
    : await loadOptions(input)
  return options.control
}

const NO_CONTROL =
  'where is the control socket? Say --control /run/app/ctl.sock, as `tsgi serve` was told, or `control` in tsgi.config.ts'

function usage(name: string, row: { readonly argument?: string }): string {
  return row.argument === undefined ? name : `${name} ${row.argument}`
}

/** @throws TsgiError TSGI_USAGE */
function readCommand(invocation: Invocation): ControlCommand {
  const [name = '', value] = invocation.operands
  if (!isCommandName(name)) throw usageError([unknownCommand(name)])
  if (name === 'scale') {
    refuseExtras(invocation, 2, 'scale takes one number')
    const workers = readValue(count(1, MAX_WORKERS), value)
    if (workers.ok) return { command: 'scale', workers: workers.value }
    throw usageError([`scale: how many workers? Say a number from 1 to ${MAX_WORKERS}, as in tsgi ctl scale 4`])
  }
  refuseExtras(invocation, 1, `${name} takes no value`)
  return { command: name }
}

function isCommandName(name: string): name is ControlCommandName {
  return Object.hasOwn(CONTROL_COMMANDS, name)
}

function unknownCommand(name: string): string {
  const names = Object.keys(CONTROL_COMMANDS)
  if (name === '') return `which command? Say ${names.join(', ')}`
  const close = nearest(name, names)
  const hint = close === undefined ? `the commands are ${names.join(', ')}` : `did you mean ${close}?`
  return `there is no command ${JSON.stringify(name)}; ${hint}`
}

async function carryOut(address: string, command: ControlCommand, inJson: boolean): Promise<number> {
  const outcome = await controlRequest(address, command, (text) => printError(paintError('dim', text)))
  if (outcome.kind === 'failed') {
    if (inJson) print(JSON.stringify(outcome))
    else printError([`tsgi: ${command.command} failed: ${outcome.message}`, outcome.stack].filter(Boolean).join('\n'))
    return outcome.exitCode
  }
  // The overview is worth little without the workers, and the other way about.
  const more =
    command.command === 'status' ? await controlRequest(address, { command: 'workers' }, () => undefined) : outcome
  const result = more.kind === 'ok' ? { ...outcome.result, ...more.result } : outcome.result
  print(inJson ? JSON.stringify(result) : resultText(result) || 'done')
  return 0
}
