/** Rejections that nobody handles, of requests that have ended: no client ends a worker by leaving. */

import { causes, TsgiError } from '../errors.ts'
import { isClientDisconnected } from '../interfaces/async/client-left.ts'

/**
 * What is pending when a request ends is rejected: a read of its body, a `fetch` with its signal. An application that answered early, or
 * has not come to its `await` yet, handles none of that, and Node would end the process. Of any other rejection Node makes what it
 * makes without this.
 */
export function forgiveEndedRequests(tell: (error: unknown) => void): void {
  const onRejection = (reason: unknown): void => {
    if (causes(reason).some(isOfEndedRequest)) {
      tell(reason)
      return
    }
    // Those that the application listens to are its own.
    if (process.listenerCount('unhandledRejection') > 1) return
    // Node asks whether anybody listens: once more, while nobody does.
    process.off('unhandledRejection', onRejection)
    void Promise.reject(reason)
    setImmediate(() => process.on('unhandledRejection', onRejection))
  }
  process.on('unhandledRejection', onRejection)
}

const OF_ENDED_REQUEST = ['TSGI_APP_ENDED', 'TSGI_REQUEST_TIMEOUT', 'TSGI_SERVER_SHUTDOWN']

function isOfEndedRequest(error: Error): boolean {
  if (isClientDisconnected(error)) return true
  return error instanceof TsgiError && (error.kind === 'client' || OF_ENDED_REQUEST.includes(error.code))
}
