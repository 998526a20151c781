/** An Application as an async one: http only, for middleware that is written for scope, receive and send. */

import type { Application, HeaderList } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { Exchange } from '../gateway/exchange.ts'
import { applicationHandler } from '../gateway/request-source.ts'
import type { Sink } from '../gateway/sink.ts'
import { type AsyncApp, asyncApp, type Receive, type Send } from './async/types.ts'
import { brokenOff, clientLeft, createExchange, type EmbeddedOptions, paramsOfEnviron } from './embedded.ts'

export function toAsync(application: Application, options: EmbeddedOptions = {}): AsyncApp {
  const handler = applicationHandler(application)
  return asyncApp({
    http: (scope, receive, send) =>
      new Promise((resolve, reject) => {
        const sink = new AsyncSink(send, scope.signal, resolve, reject)
        // What an outer layer changed in the scope, it changed in the environ as well, or the application does not see it.
        const exchange = createExchange(sink, options, scope.environ, scope.state)
        const leave = (): void => exchange.abort(clientLeft())
        scope.signal.addEventListener('abort', leave, { once: true })
        exchange.run(handler, paramsOfEnviron(scope.environ))
        void feed(receive, exchange, sink)
        // A signal that is aborted already fires no event.
        if (scope.signal.aborted) leave()
      }),
  })
}

async function feed(receive: Receive<'http'>, exchange: Exchange, sink: AsyncSink): Promise<void> {
  try {
    while (!exchange.ended) {
      await sink.wanted
      const message = await receive()
      if (message.type === 'http.disconnect') {
        exchange.input.fail(new TsgiError('TSGI_INPUT_TRUNCATED', 'the client left before its request body had ended'))
        return
      }
      exchange.input.push(message.body)
      if (!message.moreBody) {
        exchange.input.end()
        return
      }
    }
  } catch (error) {
    exchange.input.fail(error)
  }
}

/** Messages go out one after the other, in order; what waits for them waits for the last. */
class AsyncSink implements Sink {
  readonly #send: Send<'http'>
  readonly #signal: AbortSignal
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void
  #sent: Promise<void> = Promise.resolve()
  #waiting = 0
  #wake: (() => void) | undefined
  readonly bodyComesLate = false
  readonly upgrade = undefined
  readonly earlyHints = undefined
  wanted: Promise<void> = Promise.resolve()

  constructor(send: Send<'http'>, signal: AbortSignal, resolve: () => void, reject: (error: unknown) => void) {
    this.#send = send
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
  }

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    this.#queue({ type: 'http.response.start', status: Number(status.slice(0, 3)), headers })
    if (chunk !== undefined || last) this.#queue(bodyMessage(chunk, last))
    if (last) this.#finish()
  }

  chunk(bytes: Uint8Array): void {
    this.#queue(bodyMessage(bytes, false))
  }

  end(): void {
    this.#queue(bodyMessage(undefined, true))
    this.#finish()
  }

  abort(): void {
    this.#reject(brokenOff(this.#signal))
  }

  get saturated(): boolean {
    return this.#waiting > 0
  }

  drained(): Promise<void> {
    return this.#sent
  }

  flow(wanted: boolean): void {
    this.#wake?.()
    this.#wake = undefined
    if (wanted) this.wanted = Promise.resolve()
    else {
      this.wanted = new Promise((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #queue(message: Parameters<Send<'http'>>[0]): void {
    this.#waiting++
    this.#sent = this.#sent
      .then(() => this.#send(message))
      .catch((error: unknown) => this.#reject(error))
      .finally(() => {
        this.#waiting--
      })
  }

  #finish(): void {
    void this.#sent.then(this.#resolve)
  }
}

function bodyMessage(chunk: Uint8Array | undefined, last: boolean): Parameters<Send<'http'>>[0] {
  return { type: 'http.response.body', moreBody: !last, ...(chunk === undefined ? {} : { body: chunk }) }
}
