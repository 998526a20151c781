/** An Application as a fetch handler: for anything that is called with a Request and gives a Response. */

import type { Application, HeaderList } from '../application.ts'
import type { Exchange } from '../gateway/exchange.ts'
import { applicationHandler } from '../gateway/request-source.ts'
import type { Sink } from '../gateway/sink.ts'
import { brokenOff, clientLeft, createExchange, type EmbeddedOptions, paramsOf } from './embedded.ts'
import type { FetchEnv } from './fetch/fetch.ts'

export function toFetch(
  application: Application,
  options: EmbeddedOptions = {},
): (request: Request, env?: Partial<FetchEnv>) => Promise<Response> {
  const handler = applicationHandler(application)
  return (request, env) =>
    new Promise((resolve, reject) => {
      const url = new URL(request.url)
      const sink = new FetchSink(request.signal, resolve, reject)
      const exchange = createExchange(sink, options, env?.environ)
      sink.exchange = exchange
      const leave = (): void => exchange.abort(clientLeft())
      request.signal.addEventListener('abort', leave, { once: true })
      const outer = env?.environ
      const body = request.body
      exchange.run(
        handler,
        paramsOf({
          method: request.method,
          target: url.pathname + url.search,
          scheme: url.protocol.slice(0, -1),
          protocol: outer?.SERVER_PROTOCOL ?? 'HTTP/1.1',
          host: url.host,
          headers: [['host', url.host], ...[...request.headers].filter(([name]) => name !== 'host')],
          remoteAddress: outer?.['REMOTE_ADDR'],
        }),
      )
      if (body === null) exchange.input.end()
      else void feed(body, exchange, sink)
      // A signal that is aborted already fires no event.
      if (request.signal.aborted) leave()
    })
}

async function feed(body: ReadableStream<Uint8Array>, exchange: Exchange, sink: FetchSink): Promise<void> {
  const reader = lockedBy(body, exchange)
  if (reader === undefined) return
  const stop = (): void => {
    // Its own failure to stop changes nothing for a response that is out.
    reader.cancel().catch(() => undefined)
  }
  if (exchange.ended) {
    stop()
    return
  }
  // A read may be pending for as long as the client likes.
  exchange.after(stop)
  try {
    while (!exchange.ended) {
      await sink.wanted
      const result = await reader.read()
      if (result.done) {
        exchange.input.end()
        return
      }
      exchange.input.push(result.value)
    }
  } catch (error) {
    exchange.input.fail(error)
  }
}

/** Somebody may be reading it already: the application hears of it where it reads. */
function lockedBy(
  body: ReadableStream<Uint8Array>,
  exchange: Exchange,
): ReadableStreamDefaultReader<Uint8Array> | undefined {
  try {
    return body.getReader()
  } catch (error) {
    exchange.input.fail(error)
    return undefined
  }
}

class FetchSink implements Sink {
  exchange: Exchange | undefined
  readonly #signal: AbortSignal
  readonly #resolve: (response: Response) => void
  readonly #reject: (error: unknown) => void
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #wakeWriter: (() => void) | undefined
  #wakeReader: (() => void) | undefined
  readonly bodyComesLate = false
  readonly upgrade = undefined
  readonly earlyHints = undefined
  /** Settled while the application wants more of the request body. */
  wanted: Promise<void> = Promise.resolve()

  constructor(signal: AbortSignal, resolve: (response: Response) => void, reject: (error: unknown) => void) {
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
  }

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    const code = Number(status.slice(0, 3))
    const list = new Headers()
    for (const [name, value] of headers) list.append(name, value)
    const isBodyless = code === 204 || code === 205 || code === 304
    const body = isBodyless ? null : last ? whole(chunk) : this.#stream(chunk)
    this.#resolve(new Response(body, { status: code, statusText: status.slice(4), headers: list }))
  }

  chunk(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes)
  }

  end(): void {
    this.#controller?.close()
    this.#controller = undefined
  }

  abort(): void {
    const error = brokenOff(this.#signal)
    this.#controller?.error(error)
    this.#controller = undefined
    this.#wakeWriter?.()
    this.#reject(error)
  }

  get saturated(): boolean {
    return this.#controller !== undefined && (this.#controller.desiredSize ?? 0) <= 0
  }

  drained(): Promise<void> {
    if (!this.saturated) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wakeWriter = resolve
    })
  }

  flow(wanted: boolean): void {
    this.#wakeReader?.()
    this.#wakeReader = undefined
    if (wanted) this.wanted = Promise.resolve()
    else {
      this.wanted = new Promise((resolve) => {
        this.#wakeReader = resolve
      })
    }
  }

  #stream(first: Uint8Array | undefined): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
          if (first !== undefined) controller.enqueue(first)
        },
        pull: () => {
          this.#wakeWriter?.()
          this.#wakeWriter = undefined
        },
        cancel: () => {
          this.#controller = undefined
          this.#wakeWriter?.()
          this.exchange?.abort(clientLeft())
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 65_536 }),
    )
  }
}

function whole(chunk: Uint8Array | undefined): Uint8Array<ArrayBuffer> | null {
  // A copy: Response keeps it, and the type wants memory that is not shared.
  return chunk === undefined ? null : new Uint8Array(chunk)
}
