/** What keeps a log from being written, and how that is told where the log itself cannot. */

import { errorCode, TsgiError } from '../errors.ts'

export function cannotOpen(target: string | number, error: unknown): TsgiError {
  if (error instanceof TsgiError) return error
  const why = error instanceof Error ? error.message : String(error)
  return new TsgiError('TSGI_USAGE', `cannot open the log file ${target}: ${why}${remedy(error)}`, { cause: error })
}

function remedy(error: unknown): string {
  if (errorCode(error) !== 'EACCES') return ''
  return `; user ${process.geteuid?.() ?? '?'} must be allowed to write it`
}

/** The code of the warning. */
const LOG_WARNING = 'TSGI_LOG'

/**
 * A log that cannot be written cannot say so itself: what is wrong with it goes to standard error, as a process warning. That
 * may be read by nobody, or be no more than another log: `tell` writes it into what is left.
 * @returns stops that
 */
export function onLogFault(tell: (message: string) => void): () => void {
  const hear = (warning: Error): void => {
    if (errorCode(warning) === LOG_WARNING) tell(warning.message)
  }
  process.on('warning', hear)
  return () => process.off('warning', hear)
}

function warn(message: string): void {
  // Node prints it there, and a second line to a pipe that nobody reads any more would end the process.
  if (!process.stderr.listeners('error').includes(ignore)) process.stderr.on('error', ignore)
  process.emitWarning(message, { code: LOG_WARNING })
}

const ignore = (): void => undefined

const STREAMS: ReadonlyMap<string | number, string> = new Map([
  [1, 'standard output'],
  [2, 'standard error'],
])

/** Of this process, at any time. */
const broken = new Set<string | number>()

/** What is said only there may be lost. */
export function hasLostLines(target: string | number): boolean {
  return broken.has(target)
}

/** The first failure: the others would say the same, line after line. */
export function tellOnce(target: string | number): (error: Error) => void {
  let told = false
  return (error) => {
    if (told) return
    told = true
    broken.add(target)
    warn(`cannot write to ${STREAMS.get(target) ?? `the log ${target}`}, its lines are lost: ${error.message}`)
  }
}

/** Each time: somebody asked for it each time. */
export function tellNotReopened(target: string, error: unknown): TsgiError {
  const told = cannotOpen(target, error)
  warn(`${told.message}; its lines go on to the file that was open`)
  return told
}

/** It takes nothing now, and may later: a pipe whose reader is slow. */
export function isBusy(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'EAGAIN' || code === 'EBUSY'
}
