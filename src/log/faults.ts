import { TsgiError } from '../errors.ts'

export function cannotOpen(target: string | number, error: unknown): TsgiError {
  const why = error instanceof Error ? error.message : String(error)
  return new TsgiError('TSGI_USAGE', `cannot open the log file ${target}: ${why}`, { cause: error })
}

/** The code of the warning. */
export const LOG_WARNING = 'TSGI_LOG'

/** A log that cannot be written cannot say so itself: the first failure goes to standard error, as a process warning. */
export function tellOnce(target: string | number): (error: Error) => void {
  let told = false
  return (error) => {
    if (told) return
    told = true
    process.emitWarning(`cannot write to the log ${target}, its lines are lost: ${error.message}`, {
      code: LOG_WARNING,
    })
  }
}
