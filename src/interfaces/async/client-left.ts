import { asError, causes, isError } from '../../errors.ts'

/**
 * What `send` gives to an application. Where the client has left nobody needs to wait for it: a broadcast to many waits for none,
 * and as a rejection that nobody handles one client's leaving would end the worker. Any other rejection is a mistake.
 * @param isOver no message can have any effect any more
 */
export function mayGoUnheard(sent: Promise<void>, isOver: () => boolean): Promise<void> {
  const told = new Promise<void>((resolve, reject) => {
    sent.then(resolve, (error: unknown) => {
      if (isOver() || isClientDisconnected(error)) told.catch(() => undefined)
      reject(error)
    })
  })
  return told
}

const NAME = 'ClientDisconnected'

export const isClientDisconnected = (error: unknown): boolean => isError(error) && asError(error).name === NAME

export function clientDisconnected(): Error {
  return Object.assign(new Error('the WebSocket is closed'), { name: NAME })
}

/**
 * Whether an application threw `error` only because `signal` was aborted: its reason, what a library made of that, or the AbortError
 * of what was given the signal.
 */
export function followsFrom(signal: AbortSignal, error: unknown): boolean {
  if (error === signal.reason) return true
  return signal.aborted && causes(error).some((cause) => cause === signal.reason || cause.name === 'AbortError')
}
