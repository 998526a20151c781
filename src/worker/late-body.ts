/**
 * What still comes of a request body behind the end of its response, for an application that answers first and reads on. The front
 * server sends no more than was under way when it had the response, and a connection that is not kept carries nothing else.
 */

import { TsgiError } from '../errors.ts'
import type { RequestInput } from '../gateway/input.ts'
import type { Decoder } from '../protocol/codec.ts'
import type { OpenRequest } from './open-request.ts'

export class LateBody {
  readonly #decoder: Decoder
  readonly #input: RequestInput
  #quiet = false

  /** @returns undefined where the body is there */
  static of(request: OpenRequest, decoder: Decoder | undefined): LateBody | undefined {
    if (request.bodyComplete || decoder === undefined) return undefined
    request.bodyComesLate = true
    return new LateBody(decoder, request.exchange.input)
  }

  constructor(decoder: Decoder, input: RequestInput) {
    this.#decoder = decoder
    this.#input = input
  }

  /** @returns whether that was all of it, or more is to come */
  read(bytes: Uint8Array): 'all' | 'more' {
    let read: 'all' | 'more' = 'more'
    this.#quiet = false
    try {
      this.#decoder.feed(bytes)
      for (let event = this.#decoder.next(); event !== undefined; event = this.#decoder.next()) {
        if (event.kind === 'body') this.#input.push(event.chunk)
        else if (event.kind === 'end') {
          this.#input.end()
          read = 'all'
        }
      }
      return read
    } catch (error) {
      // Only who reads this body is concerned: the response is out, and the connection about to close.
      this.#input.fail(error)
      return 'more'
    }
  }

  /** @returns whether nothing has come since this was last asked */
  stalled(): boolean {
    const quiet = this.#quiet
    this.#quiet = true
    return quiet
  }

  /** The connection is gone: whoever waits for the rest is told. */
  cut(): void {
    this.#input.fail(
      new TsgiError('TSGI_INPUT_TRUNCATED', 'the request body was cut off behind the end of its response'),
    )
  }
}
