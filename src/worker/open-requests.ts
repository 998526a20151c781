/** The requests of one connection whose response is not complete; one at most, save on multiplexed FastCGI. */

import type { TsgiError } from '../errors.ts'
import type { RequestEvent } from '../protocol/codec.ts'
import { RequestsById } from '../protocol/requests-by-id.ts'
import type { OpenRequest } from './open-request.ts'
import { countBodyBytes } from './young-garbage.ts'

/** What comes of a request that has begun. */
type Continuation = Extract<RequestEvent, { readonly kind: 'body' | 'end' | 'abort' }>

export class OpenRequests extends RequestsById<OpenRequest> {
  /** What comes after the response is of no use any more. */
  take(event: Continuation): void {
    const request = this.get(event.requestId)
    switch (event.kind) {
      case 'body':
        countBodyBytes(event.chunk.length)
        request?.exchange.input.push(event.chunk)
        return
      case 'end':
        request?.endBody()
        return
      case 'abort':
        request?.giveUp()
    }
  }

  /** None of them holds its body back: what waits on the connection may be for any. */
  get wantBodies(): boolean {
    for (const { wantsBody } of this.list()) if (!wantsBody) return false
    return true
  }

  abort(reason: TsgiError): void {
    for (const request of this.list()) request.exchange.abort(reason)
  }
}
