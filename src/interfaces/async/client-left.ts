import { asError, causes, isError, TsgiError } from '../../errors.ts'

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
 * Whether an application threw `error` only because its request is over: what `send` rejects with then, what a library made of that, or
 * the AbortError of what was given the signal.
 */
export function followsFrom(signal: AbortSignal, error: unknown): boolean {
  return causes(error).some((cause) => {
    if (cause instanceof TsgiError && cause.code === 'TSGI_APP_ENDED') return true
    return signal.aborted && (cause === signal.reason || cause.name === 'AbortError')
  })
}
