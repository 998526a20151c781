/** What `serve` and `dev` have in common: options and application, read together so that all problems come at once. */

import { resolve } from 'node:path'
import { hasLostLines } from '../log/faults.ts'
import type { Ended } from '../master/main.ts'
import { type Loaded, loadOptions } from '../options/load.ts'
import type { RawSources } from '../options/parse.ts'
import type { Parsed } from '../options/parsed.ts'
import { type Reloaded, reloadOptions } from '../options/reload.ts'
import { requireListener } from '../options/rules.ts'
import type { Options } from '../options/table.ts'
import { START_RULES } from './start-rules.ts'
import { type Invocation, refuseExtras } from './subcommand.ts'
import { printError } from './terminal.ts'
import { mayEnter } from './working-folder.ts'

interface ApplicationRun extends Loaded {
  /** Absolute: `/srv/app/app.ts` or `/srv/app/app.ts:name`. */
  readonly application: string
  /** Reads everything again. What needs a restart stays as it was at the start. */
  readonly reload: () => Promise<Reloaded>
}

/** @throws TsgiError TSGI_USAGE */
export async function prepareRun(invocation: Invocation, preset?: RawSources['preset']): Promise<ApplicationRun> {
  const { operands } = invocation
  const input = {
    ...invocation.input,
    ...(preset === undefined ? {} : { preset }),
    rules: [
      ...START_RULES,
      ({ options }: Parsed) => requireListener(options),
      ({ options }: Parsed) => (namedApplication(operands, options) === undefined ? [NO_APPLICATION] : []),
    ],
  }
  refuseExtras(invocation, 1, 'one application is served at a time')
  const loaded = await loadOptions(input)
  const folder = loaded.options.chdir ?? input.cwd
  // Named, so that the workers of a reload are in the folder that has this name then, and not in a release of before.
  const chdir = loaded.options.chdir ?? (mayEnter(input.cwd) ? input.cwd : undefined)
  const settled = (options: Options) => {
    const application = resolve(folder, namedApplication(operands, options) ?? '')
    return { ...options, application, chdir: options.chdir ?? chdir }
  }
  const options = settled(loaded.options)
  return {
    ...loaded,
    options,
    application: options.application,
    reload: async () => {
      // What reads the configuration file is there as well: in the folder of a release that was deleted nothing runs.
      if (mayEnter(input.cwd)) process.chdir(input.cwd)
      return reloadOptions(options, settled((await loadOptions({ ...input, folder })).options))
    },
  }
}

/** Says why it ended where the log does not: whoever started it sees standard error alone. @returns the exit code */
export function explained({ exitCode, failure }: Ended, { logLevel, logFile }: Options): number {
  if (exitCode === 0) return 0
  const isLost = logFile !== undefined && hasLostLines(logFile)
  const isLogged = logLevel !== 'fatal' && logLevel !== 'silent' && !isLost
  if (isLogged && logFile !== undefined) printError(`tsgi: ended with exit code ${exitCode}; ${logFile} says why`)
  if (isLogged || failure === undefined) return exitCode
  printError([`tsgi: ended with exit code ${exitCode}: ${failure.message}`, failure.stack].filter(Boolean).join('\n'))
  return exitCode
}

const NO_APPLICATION =
  'which application? Say path/to/app.ts, or path/to/app.ts:export, as an argument or as `app` in tsgi.config.ts'

export function namedApplication(operands: readonly string[], options: Parsed['options']): string | undefined {
  return operands[0] ?? options.application
}
