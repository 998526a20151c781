/** What the log says of workers: one line for each thing that happened to one. */

import { ERRORS } from '../errors.ts'
import type { WorkerMessage } from '../messages.ts'
import type { WorkerExit, WorkerView } from './roster.ts'
import { describeExit, nameOf } from './words.ts'

/** What the master needs of a logger. */
export interface MasterLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export function fieldsOf(worker: WorkerView | undefined): object {
  return { slot: worker?.slot, generation: worker?.generation, workerPid: worker?.pid }
}

export function reportMessage(log: MasterLog, worker: WorkerView | undefined, message: WorkerMessage): void {
  const name = nameOf(worker)
  const fields = fieldsOf(worker)
  switch (message.kind) {
    case 'ready':
      log.info({ ...fields, bootMs: message.bootMs, interface: message.interface }, `${name} is ready`)
      break
    case 'failed':
      log.error({ ...fields, ...errorField(message) }, `${name} ${failedAt(message.exitCode)}: ${message.message}`)
      break
    case 'retire':
      log.info(fields, `${name} asks to be replaced: ${message.why}`)
      break
    case 'bye':
      log.debug(fields, `${name} has nothing open any more`)
      break
    case 'tick':
    case 'want-sockets':
      break
  }
}

export function reportExit(log: MasterLog, worker: WorkerView, exit: WorkerExit): void {
  const fields = fieldsOf(worker)
  if (hasLeft(worker, exit)) log.info(fields, `${nameOf(worker)} left`)
  else {
    // What was lost with it, as far as is known: a second may have gone by since it last said so.
    const requestsLastReported = worker.tick?.requestsInFlight ?? 0
    log.error({ ...fields, requestsLastReported }, `${nameOf(worker)} died: ${describeExit(worker, exit)}`)
  }
}

/** It was told to, and nothing is lost with it. */
function hasLeft({ phase, killed, readyAtMs }: WorkerView, { signal, error }: WorkerExit): boolean {
  if ((phase !== 'draining' && phase !== 'quitting') || error !== undefined) return false
  // Also where it was killed meanwhile: its own end came first.
  if (signal === null) return true
  // One that still loads the application may not hear of it in time.
  if (signal === killed?.signal) return readyAtMs === undefined
  // What has listeners for SIGTERM often ends with the signal itself, as it would have without them. And a terminal interrupts
  // the workers with the master: one that still loads the application knows no better than to end.
  return signal === 'SIGTERM' || (signal === 'SIGINT' && phase === 'quitting')
}

const failedAt = (exitCode: number): string =>
  exitCode === ERRORS.TSGI_USAGE.exitCode || exitCode === ERRORS.TSGI_BIND.exitCode
    ? 'could not start'
    : 'could not load the application'

/** As pino's readers show errors; nothing where there is no stack. */
export function errorField({ message, stack }: { readonly message: string; readonly stack: string }): object {
  // pino takes the type from the class.
  return stack === '' ? {} : { err: Object.assign(new Error(message), { stack }) }
}
