#!/usr/bin/env node
/** The `tsgi` command: finds the subcommand, runs it, and ends with its exit code. Nothing else sets one. */

import { Command, CommanderError } from 'commander'
import { asError, ERRORS, TsgiError } from '../errors.ts'
import { CONTROL_COMMANDS } from '../master/control-messages.ts'
import { nearest } from '../nearest.ts'
import { packageVersion } from '../package-version.ts'
import { check } from './check.ts'
import { ctl } from './ctl.ts'
import { dev } from './dev.ts'
import { init } from './init.ts'
import { request } from './request.ts'
import { serve } from './serve.ts'
import { type Subcommand, toCommand } from './subcommand.ts'
import { paint, paintError, printError } from './terminal.ts'
import { workingFolder } from './working-folder.ts'

const SUBCOMMANDS: readonly Subcommand[] = [serve, dev, check, ctl, request, init]

async function main(words: readonly string[]): Promise<number> {
  const command = words[0] === 'help' ? words[1] : words[0]
  if (command !== undefined && !command.startsWith('-') && !isCommand(command)) return refuseCommand(command)

  let outcome: Promise<number> | undefined
  try {
    const program = createProgram(words, (code) => {
      outcome = code
    })
    if (words.length === 0) program.outputHelp({ error: true })
    else program.parse(words, { from: 'user' })
    return (await outcome) ?? (words.length === 0 ? ERRORS.TSGI_USAGE.exitCode : 0)
  } catch (error) {
    return report(error)
  }
}

function createProgram(words: readonly string[], settle: (code: Promise<number>) => void): Command {
  const surroundings = { words, environment: process.env, cwd: workingFolder(process.env['PWD']) }
  const program = new Command('tsgi')
    .description('The gateway server for TypeScript: applications behind nginx, Apache and other front servers.')
    .version(`tsgi ${packageVersion()} (Node ${process.versions.node})`, '-V, --version', 'Show the version.')
    .helpOption('-h, --help', 'Show this help.')
    .helpCommand('help [command]', 'Show the help of a command.')
    .usage('COMMAND [options]')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .allowExcessArguments()
    .configureHelp({
      styleTitle: (title) => paint('bold', title),
      // commander wants `<ADDR>` where it is declared; the brackets are noise.
      optionTerm: (option) => option.flags.replace(/<(.*)>/, '$1'),
      subcommandTerm: (command) => (command.name() === 'help' ? 'help [COMMAND]' : nameAndOperands(command.name())),
    })
    .addHelpText('after', PROGRAM_EXAMPLES)
  for (const subcommand of SUBCOMMANDS) {
    program.addCommand(toCommand(subcommand, surroundings, settle).copyInheritedSettings(program))
  }
  return program
}

const PROGRAM_EXAMPLES = `
Examples:
  tsgi dev app.ts
      Develop: http://127.0.0.1:8000, reloads when a file changes.
  tsgi serve app.ts --uwsgi /run/app/app.sock --workers 4
      Serve behind nginx (uwsgi_pass unix:/run/app/app.sock).
  tsgi init nginx app.ts --uwsgi /run/app/app.sock
      Print the nginx configuration that goes with it.

tsgi COMMAND --help tells every option of a command.`

function nameAndOperands(name: string): string {
  const operands = SUBCOMMANDS.find((subcommand) => subcommand.name === name)?.operands
  return operands === undefined ? name : `${name} ${operands}`
}

function isCommand(word: string): boolean {
  return word === 'help' || SUBCOMMANDS.some((subcommand) => subcommand.name === word)
}

function refuseCommand(word: string): number {
  const meant = meantBy(word)
  const names = SUBCOMMANDS.map(({ name }) => name).join(', ')
  const hint = meant === undefined ? `the commands are ${names}` : `did you mean tsgi ${meant}?`
  printProblem(`there is no command ${JSON.stringify(word)}; ${hint}`)
  return ERRORS.TSGI_USAGE.exitCode
}

function meantBy(word: string): string | undefined {
  if (/[./]/.test(word)) return `serve ${word}`
  if (Object.hasOwn(CONTROL_COMMANDS, word)) return `ctl ${word}`
  return nearest(
    word,
    SUBCOMMANDS.map(({ name }) => name),
  )
}

/** @returns the exit code that the error stands for */
function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return 0
    printProblem(commanderProblem(thrown.message))
    return ERRORS.TSGI_USAGE.exitCode
  }
  if (thrown instanceof TsgiError) {
    printProblem(thrown.message)
    return thrown.exitCode
  }
  // No error that a user can cause: the stack is for whoever mends tsgi.
  printProblem(asError(thrown).stack ?? asError(thrown).message)
  return 1
}

/** commander's words in the form of ours. */
function commanderProblem(message: string): string {
  const text = message.replace(/^error: /, '').split('\n', 1)[0] ?? ''
  const unvalued = /^option '(\S+) <(.+)>' argument missing$/.exec(text)
  if (unvalued !== null) return `${unvalued[1]} ${unvalued[2]}: the value is missing`
  const unknown = /^unknown option '(.+)'$/.exec(text)
  return unknown === null ? text : `${unknown[1]}: options come after a command, as in tsgi serve app.ts ${unknown[1]}`
}

/** Each problem on a line of its own; lines of a stack stay as they are. */
function printProblem(text: string): void {
  const label = paintError('red', 'tsgi:')
  printError(text.replace(/^(?!\s|$)/gm, `${label} `))
}

const exitCode = await main(process.argv.slice(2))
// What was printed to a pipe must have left; what an application or a watcher keeps open must not hold the command up.
process.stdout.write('', () => process.exit(exitCode))
