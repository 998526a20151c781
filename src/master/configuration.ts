/** What is told of a configuration that was read again. */

import { asError, ERRORS, TsgiError } from '../errors.ts'
import type { Reloaded } from '../options/reload.ts'
import type { Failure } from './actions.ts'
import type { ReloadAskers } from './reload-askers.ts'
import type { MasterLog } from './report.ts'

/** What is wrong with a configuration needs its own stack, and none of ours. */
export function configurationFailure(thrown: unknown): Failure {
  if (thrown instanceof TsgiError) return { message: thrown.message, stack: '', exitCode: thrown.exitCode }
  const { message, stack = '' } = asError(thrown)
  return { message, stack, exitCode: ERRORS.TSGI_USAGE.exitCode }
}

export function warnOfRestart(
  needRestart: Reloaded['needRestart'],
  log: MasterLog,
  askers: Pick<ReloadAskers, 'progress'>,
): void {
  for (const { flag, configKey } of needRestart) {
    const changed = `${flag} (${configKey} in the configuration file) has another value than at the start`
    log.warn({ option: configKey }, `${changed}: restart to change it`)
    askers.progress(`${changed}: restart to change it`)
  }
}
