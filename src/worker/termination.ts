/**
 * SIGTERM as the application knows it: the moment to close its database and to end the process. A worker finishes its requests
 * first, so its listeners run after the last response, whether the master asked the worker to leave or a signal did.
 */

import { constants } from 'node:os'

export interface Termination {
  /** Runs what the application has for SIGTERM, as if the signal came now. False: it has nothing. */
  deliver(): boolean
}

/**
 * From here on a SIGTERM reaches no listener but this.
 * @param asked a SIGTERM came
 */
export function holdTermination(asked: () => void): Termination {
  const { emit } = process
  let isHeld = true
  // Listeners cannot be kept from each other in any other way; the types have an overload for each event.
  Reflect.set(process, 'emit', (...parameters: unknown[]): boolean => {
    if (!isHeld || parameters[0] !== 'SIGTERM') return Reflect.apply(emit, process, parameters)
    asked()
    return true
  })
  // By default the signal would end the process. Only now: the first listener binds what `emit` is then.
  const own = (): void => undefined
  process.on('SIGTERM', own)
  return {
    deliver: () => {
      if (process.listenerCount('SIGTERM') === 1) return false
      isHeld = false
      // Packages that look who else listens (signal-exit) leave it to others to end the process.
      process.off('SIGTERM', own)
      // In a turn of its own: what such a listener throws is nobody's to catch.
      setImmediate(() => Reflect.apply(process.emit, process, ['SIGTERM', 'SIGTERM', constants.signals.SIGTERM]))
      return true
    },
  }
}
