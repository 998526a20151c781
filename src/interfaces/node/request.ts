/** http.IncomingMessage filled from the variables of a request. */

import http from 'node:http'
import type { InputStream } from '../../application.ts'
import { asBuffer } from '../../as-buffer.ts'
import { mayHaveBody, type RequestVariables } from '../../gateway/request-source.ts'
import type { ClientSocket } from './client-socket.ts'
import { RESERVE_SLOTS, type RequestInternals, type Slots } from './internals.ts'

export type GatewayRequest = http.IncomingMessage & RequestInternals

export type RequestConstructor = new (socket: ClientSocket) => GatewayRequest

/** See `responseConstructor`. */
export function requestConstructor(prototype: object): RequestConstructor {
  function Request(this: GatewayRequest & Slots, socket: ClientSocket): void {
    if (RESERVE_SLOTS) {
      this._slot00 = undefined
      this._slot01 = undefined
      this._slot02 = undefined
      this._slot03 = undefined
      this._slot04 = undefined
      this._slot05 = undefined
      this._slot06 = undefined
      this._slot07 = undefined
      this._slot08 = undefined
      this._slot09 = undefined
      this._slot10 = undefined
      this._slot11 = undefined
      this._slot12 = undefined
      this._slot13 = undefined
      this._slot14 = undefined
      this._slot15 = undefined
      this._slot16 = undefined
      this._slot17 = undefined
      this._slot18 = undefined
      this._slot19 = undefined
      this._slot20 = undefined
      this._slot21 = undefined
      this._slot22 = undefined
      this._slot23 = undefined
      this._slot24 = undefined
      this._slot25 = undefined
      this._slot26 = undefined
      this._slot27 = undefined
      this._slot28 = undefined
      this._slot29 = undefined
      this._slot30 = undefined
      this._slot31 = undefined
    }
    // The constructor of Node asks for a net.Socket and uses what ClientSocket has.
    http.IncomingMessage.call(this, socket as unknown as ConstructorParameters<typeof http.IncomingMessage>[0])
  }
  Request.prototype = prototype
  // TypeScript has no type for a plain function called with `new`; a class cannot be given another prototype object.
  return Request as unknown as RequestConstructor
}

export function fillRequest(request: GatewayRequest, variables: RequestVariables): void {
  request.method = variables.method
  request.url = variables.target
  // Above 1.1 the message is still one of HTTP/1.1 to Node: frameworks would look for HTTP/2 streams. The environ tells.
  const isOld = variables.protocol === 'HTTP/1.0'
  request.httpVersion = isOld ? '1.0' : '1.1'
  request.httpVersionMajor = 1
  request.httpVersionMinor = isOld ? 0 : 1
  const raw: string[] = []
  variables.eachHeader((name, value) => {
    raw.push(name.title, value)
  })
  // `headers` is made from them by a getter of Node's when it is first read.
  request._addHeaderLines(raw, raw.length)
  // node:http sets it when the last byte is in; without a body that is now.
  if (!mayHaveBody(variables)) request.complete = true
}

/**
 * Ends a request that nobody has read and nobody listens to. As `_dumpAndCloseReadable` of Node 24 does it: resume() would take
 * three ticks to say 'end' and 'close' to nobody.
 */
export function closeUnread(request: GatewayRequest): void {
  const state = request._readableState
  state.ended = true
  state.endEmitted = true
  state.destroyed = true
  state.closed = true
  state.closeEmitted = true
}

/** Feeds the request stream from `tsgi.input`, on demand. */
export class BodyFeed {
  readonly #request: GatewayRequest
  readonly #input: InputStream
  readonly #heard: (bytes: number) => void
  #chunks: AsyncIterator<Uint8Array> | undefined = undefined
  #isReading = false
  #isOver = false

  /** @param heard told the bytes of each piece */
  constructor(request: GatewayRequest, input: InputStream, heard: (bytes: number) => void) {
    this.#request = request
    this.#input = input
    this.#heard = heard
  }

  /** @param onError the body cannot be read to its end */
  pull(onError: (error: unknown) => void): void {
    if (this.#isReading || this.#isOver) return
    if (this.#request.complete) {
      this.end()
      return
    }
    this.#isReading = true
    this.#chunks ??= this.#input[Symbol.asyncIterator]()
    this.#chunks.next().then(
      (result) => {
        this.#isReading = false
        if (this.#isOver) return
        if (result.done === true) {
          this.#request.complete = true
          this.end()
          return
        }
        const { value } = result
        this.#heard(value.length)
        if (this.#request.push(asBuffer(value))) this.pull(onError)
      },
      (error: unknown) => {
        this.#isReading = false
        if (!this.#isOver) onError(error)
      },
    )
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#request.push(null)
  }
}
