/** A request between its first byte and the end of its response: the sink that its exchange writes to. */

import type { HeaderList, Upgraded } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { Exchange } from '../gateway/exchange.ts'
import { tellsItsEnd } from '../gateway/response-rules.ts'
import type { Sink } from '../gateway/sink.ts'
import type { Params, Protocol } from '../protocol/codec.ts'
import { BODY_CUT, bodyStalled, clientLeft } from './connection-errors.ts'

/** The connection, as its requests see it. */
export interface Carrier {
  readonly protocol: Protocol
  readonly saturated: boolean
  /** `tsgi.errors` goes to the front server too, where its protocol carries that (--fastcgi-stderr). */
  readonly passesErrors: boolean
  /** Resolves when there is room to write, or nobody to write to. */
  waitForDrain(): Promise<void>
  write(bytes: Uint8Array): void
  /** A request changed its mind about wanting its body. */
  flow(): void
  /** The connection goes on after the response of this request: the encoder says so at its end. */
  keeps(request: OpenRequest): boolean
  /** The whole response was written. */
  responded(request: OpenRequest): void
  /** The response broke off. */
  brokeOff(request: OpenRequest): void
  /** The peer does not send the rest of a body. */
  bodyFailed(request: OpenRequest, error: TsgiError): void
  /** Hands the socket to the application. */
  upgrade(request: OpenRequest): Upgraded
}

const NO_PARAMS: Params = []

export class OpenRequest implements Sink {
  readonly #connection: Carrier
  readonly requestId: number
  #params: Params
  readonly keepConnection: boolean
  readonly upgrade: (() => Upgraded) | undefined
  /** Where the connection stays open for it alone. */
  bodyComesLate = false
  /**
   * The peer sees by the head where the response ends, on a protocol that has no other sign than the end of the connection.
   * Looked at where the response begins before a body is there of which it is known how much follows.
   */
  tellsItsEnd = false
  /** No gateway protocol carries a 103: nginx and Apache take it for the final status. */
  readonly earlyHints = undefined
  /** The application was called, or waits for its turn. */
  #admitted = false
  bodyComplete = false
  #bodyFailed = false
  wantsBody = true
  #givenUp = false
  #refused = false
  #exchange: Exchange | undefined

  constructor(connection: Carrier, requestId: number, params: Params, keepConnection: boolean) {
    this.#connection = connection
    this.requestId = requestId
    this.#params = params
    this.keepConnection = keepConnection
    this.upgrade = connection.protocol.carriesUpgrade ? () => connection.upgrade(this) : undefined
  }

  /** Once: a WebSocket that is open for days does not hold what its environ was made of. */
  takeParams(): Params {
    const params = this.#params
    this.#params = NO_PARAMS
    return params
  }

  /** Set once, by the connection that makes both: each needs the other. */
  set exchange(exchange: Exchange) {
    this.#exchange = exchange
  }

  get exchange(): Exchange {
    if (this.#exchange === undefined) throw new TypeError('a request without its exchange')
    return this.#exchange
  }

  /** Its head was not read to its end, and so how much body follows it is not known either. */
  refuse(error: TsgiError): void {
    this.#refused = true
    this.exchange.refuse(error, '')
  }

  /** Once: calls the application, or lets the request wait for its turn. */
  admit(by: { admit(request: OpenRequest): void }): void {
    if (this.#admitted) return
    this.#admitted = true
    by.admit(this)
  }

  endBody(): void {
    this.bodyComplete = true
    this.exchange.input.end()
  }

  /** Reading what has not come of the body rejects; said once, whatever happens to the connection afterwards. */
  failBody(why: string): void {
    if (this.bodyComplete || this.#bodyFailed) return
    this.#bodyFailed = true
    const error = new TsgiError('TSGI_INPUT_TRUNCATED', why)
    this.#connection.bodyFailed(this, error)
    this.exchange.input.fail(error)
  }

  /** The peer owes its body for too long, unless it is not let send it. */
  stalled(limitMs: number): void {
    if (this.wantsBody) this.failBody(bodyStalled(limitMs))
  }

  /** @param leaves having sent all it had, it wants no response any more */
  peerEnded(leaves: boolean): void {
    if (!this.bodyComplete) this.failBody(BODY_CUT)
    else if (!leaves) return
    this.exchange.abort(clientLeft())
  }

  /** The connection is gone. */
  cutOff(): void {
    this.failBody('the connection broke off in the request body')
    this.exchange.abort(clientLeft())
  }

  get saturated(): boolean {
    return this.#connection.saturated
  }

  drained(): Promise<void> {
    return this.#connection.waitForDrain()
  }

  flow(wanted: boolean): void {
    this.wantsBody = wanted
    this.#connection.flow()
  }

  /** A front server that does not read loses lines, and has them in our log. */
  errorLine(line: string): void {
    const connection = this.#connection
    if (!connection.passesErrors || connection.saturated) return
    for (const part of connection.protocol.encoder.errors?.(this.requestId, `${line}\n`) ?? []) connection.write(part)
  }

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    const connection = this.#connection
    const { encoder, keepsConnections } = connection.protocol
    if (!this.bodyComplete && !this.#refused && !keepsConnections) this.tellsItsEnd = tellsItsEnd(status, headers)
    connection.write(encoder.start(this.requestId, status, headers, chunk, last, connection.keeps(this)))
    if (last) connection.responded(this)
  }

  chunk(bytes: Uint8Array): void {
    for (const part of this.#connection.protocol.encoder.chunk(this.requestId, bytes)) this.#connection.write(part)
  }

  end(): void {
    const connection = this.#connection
    const bytes = connection.protocol.encoder.end(this.requestId, connection.keeps(this))
    if (bytes !== undefined) connection.write(bytes)
    connection.responded(this)
  }

  /** Where nobody waits for the response (FastCGI section 5.4) its end is all that is owed, and the connection goes on. */
  abort(): void {
    if (this.#givenUp) this.end()
    else this.#connection.brokeOff(this)
  }

  /** The front server wants this one request no more: ABORT_REQUEST. */
  giveUp(): void {
    this.#givenUp = true
    this.exchange.abort(clientLeft())
  }
}
