/** startResponse, as a message asks for it. */

import type { HeaderList, StartResponse, Write } from '../../application.ts'
import { withoutHopByHop } from '../../gateway/hop-by-hop.ts'
import { statusLine } from '../status-line.ts'

interface StartMessage {
  readonly status: number
  readonly headers?: HeaderList
}

export class ResponseStart {
  readonly #startResponse: StartResponse
  /** Why the last one was refused: what comes in its place is the application's error page. */
  #refusal: unknown

  constructor(startResponse: StartResponse) {
    this.#startResponse = startResponse
  }

  /** @throws what is wrong with status or headers; another may follow */
  begin({ status, headers = [] }: StartMessage): Write {
    return this.startResponse(statusLine(status), withoutHopByHop(headers))
  }

  readonly startResponse: StartResponse = (status, headers) => {
    try {
      return this.#startResponse(status, headers, this.#refusal)
    } catch (error) {
      this.#refusal = error
      throw error
    }
  }
}
