/**
 * One request and its response between a Node listener and the Application contract: what the response object writes
 * goes to startResponse and write, or, when it is complete in one piece, back as the returned body.
 */

import { Buffer } from 'node:buffer'
import type http from 'node:http'
import { nextTick } from 'node:process'
import type { Body, HeaderList, StartResponse, Status, Write } from '../../application.ts'
import { asError } from '../../errors.ts'
import type { RequestSource } from '../../gateway/request-source.ts'
import type { ClientSocket, SocketOwner } from './client-socket.ts'
import type { ResponseInternals, SendCallback, SendEncoding } from './internals.ts'
import { Later } from './later.ts'

/** Above this a complete body is written rather than returned: 'finish' then waits until the transport took it. */
export const MAX_RETURNED_BYTES = 65_536
/** Where a response keeps its exchange. */
export const EXCHANGE: unique symbol = Symbol('tsgi.exchange')

export type GatewayResponse = http.ServerResponse & ResponseInternals & { [EXCHANGE]: NodeExchange }

const HIGH_WATER_BYTES = 65_536
/** For a listener whose client has left: most call `end` when their work is done, and one that streamed never does. */
const UNHEARD_MS = 5000
const NOTHING: readonly Uint8Array[] = []

/** What the exchange asks of the two message objects; `messages.ts` is the one implementation. */
export interface Messages {
  /** The application wants body bytes. */
  feed(): void
  /** The client left, or the application destroyed the connection. */
  abort(error: Error): void
  /** Everything the response wanted to wait with is out: it may go on. */
  drain(): void
  /** Node's own `end` has run: 'finish' is for Node to emit. */
  ended(): void
  /** A response that was complete in one piece is with the gateway: time for 'finish' and 'close'. */
  finished(): void
  /** The response's 'timeout', the request's, the server's: true when somebody listened. */
  timedOut(): boolean
}

type Phase = 'open' | 'streaming' | 'ended' | 'aborted'

export class NodeExchange implements SocketOwner {
  readonly source: RequestSource
  readonly socket: ClientSocket
  messages: Messages | undefined = undefined
  #phase: Phase = 'open'
  readonly #startResponse: StartResponse
  #status: Status = '200 OK'
  #headers: HeaderList = []
  #write: Write | undefined = undefined
  #first: Uint8Array | undefined = undefined
  #rest: Uint8Array[] | undefined = undefined
  #callbacks: SendCallback[] | undefined = undefined
  #isEnding = false
  #inFlightBytes = 0
  #needsDrain = false
  #result: Body | undefined = undefined
  #failure: Error | undefined = undefined
  #later: Later<Body> | undefined = undefined
  #unheard: NodeJS.Timeout | undefined = undefined
  /** Its 'finish' is for us to emit, no `end` of Node's does. */
  #announces = false

  constructor(source: RequestSource, startResponse: StartResponse, socket: ClientSocket) {
    this.source = source
    this.#startResponse = startResponse
    this.socket = socket
    socket.owner = this
  }

  /** What the Application returns once the listener has. */
  returned(): Body | PromiseLike<Body> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#result !== undefined) return this.#result
    this.#later = new Later()
    // The callbacks run as soon as the request is over, however it ended. A signal tells the same at three times the price:
    // its controller, its listener, and taking that off again.
    try {
      this.source.after(() => this.#clientLeft())
    } catch {
      // It is over already: the client left while the listener ran.
      this.#clientLeft()
    }
    return this.#later
  }

  head(status: Status, headers: HeaderList): void {
    this.#status = status
    this.#headers = headers
  }

  /** One `_send` of the response. False: more than the high-water mark waits; `messages.drain` will tell. */
  push(data: string | Uint8Array, encoding: SendEncoding, callback: SendCallback | null | undefined): boolean {
    if (this.#phase === 'aborted') return false
    const done = typeof encoding === 'function' ? encoding : callback
    if (done) {
      if (this.#callbacks === undefined) this.#callbacks = [done]
      else this.#callbacks.push(done)
    }
    if (data.length > 0) {
      const bytes =
        typeof data === 'string' ? Buffer.from(data, typeof encoding === 'string' ? encoding : 'utf8') : data
      if (this.#first === undefined) this.#first = bytes
      else if (this.#rest === undefined) this.#rest = [bytes]
      else this.#rest.push(bytes)
      this.#inFlightBytes += bytes.length
      this.socket.writableLength = this.#inFlightBytes
      this.socket.touch()
    }
    if (this.socket.writableCorked === 0 && !this.#isEnding) this.#flush()
    if (this.#inFlightBytes < HIGH_WATER_BYTES) return true
    this.#needsDrain = true
    return false
  }

  /** The response is complete (`_finish`). */
  finish(): void {
    this.#isEnding = false
    if (this.#phase !== 'open' && this.#phase !== 'streaming') return
    if (this.#phase === 'open' && this.#inFlightBytes <= MAX_RETURNED_BYTES) {
      this.#inFlightBytes = 0
      this.socket.writableLength = 0
      this.#respond(this.#take())
      return
    }
    const written = this.#flush()
    this.#phase = 'ended'
    if (written === undefined) this.#complete(NOTHING)
    else written.then(() => this.#complete(NOTHING))
  }

  /** The whole response in one call, nothing of it having been pushed before: MAX_RETURNED_BYTES at most. */
  respond(body: Uint8Array | undefined): void {
    if (this.#phase !== 'open') return
    this.#announces = true
    this.#respond(body)
  }

  #respond(body: Uint8Array | undefined): void {
    try {
      this.#startResponse(this.#status, this.#headers)
    } catch (error) {
      this.#fail(asError(error))
      return
    }
    this.#phase = 'ended'
    this.#complete(body === undefined ? NOTHING : [body])
    // After the gateway has had the body: it takes it when the listener returns, or, later, as soon as it is complete.
    if (this.#announces || this.#callbacks !== undefined) nextTick(announce, this)
  }

  /** What waited for the end of the response. */
  announce(): void {
    const callbacks = this.#callbacks
    this.#callbacks = undefined
    if (callbacks !== undefined) callAll(callbacks)
    if (this.#announces) this.messages?.finished()
  }

  /**
   * The response cannot be completed: before the head the gateway answers 500, after it the transport is cut.
   * @param heard by whoever listens to the request
   */
  #fail(error: Error, heard = error): void {
    if (this.#phase === 'aborted' || this.#result !== undefined) return
    this.#phase = 'aborted'
    this.#failure = error
    this.#later?.reject(error)
    this.socket.close()
    nextTick(() => this.messages?.abort(heard))
  }

  /** Sends a 103 where the transport can: before the head, on the built-in HTTP listener. */
  earlyHints(headers: HeaderList): void {
    const send = this.source.earlyHints
    if (send === undefined || this.#phase !== 'open') return
    send(this.#startResponse, headers).catch((error: unknown) => {
      this.source.environ['tsgi.errors'].write(`early hints were not sent: ${asError(error).message}\n`)
    })
  }

  /** The request body broke off: whoever sends it is gone. */
  lostClient(): void {
    this.#clientLeft()
  }

  /** Gives the request up with an error that the gateway answers or logs (a body over the limit). */
  fail(error: Error): void {
    this.#fail(error)
  }

  #clientLeft(): void {
    if (this.#result !== undefined || this.#phase === 'aborted') return
    this.#phase = 'aborted'
    this.#result = NOTHING
    this.socket.close()
    this.messages?.abort(connectionReset())
    if (this.#later !== undefined) this.#unheard = setTimeout(() => this.endedUnheard(), UNHEARD_MS).unref()
  }

  /** The client has left, and the listener is at work no more: a worker that drains had waited for it. */
  endedUnheard(): void {
    if (this.#unheard === undefined) return
    clearTimeout(this.#unheard)
    this.#unheard = undefined
    this.#later?.resolve(NOTHING)
  }

  resume(): void {
    this.messages?.feed()
  }

  ending(): void {
    this.#isEnding = true
  }

  uncorked(): void {
    if (this.#isEnding || this.#phase === 'ended' || this.#phase === 'aborted') return
    if (this.#first !== undefined || this.#callbacks !== undefined) this.#flush()
  }

  destroyed(error: Error | undefined): void {
    if (this.#result !== undefined && this.#phase === 'ended') return
    const why = error ?? new Error('the application destroyed the connection before the response was complete')
    // node:http: to the request it is the end of a connection, whoever brought that about.
    this.#fail(why, connectionReset())
  }

  timedOut(): boolean {
    return this.messages?.timedOut() === true
  }

  /** Hands over what is held, the head with it if that is still here. An empty chunk sends the head alone. */
  #flush(): Promise<void> | undefined {
    const callbacks = this.#callbacks
    this.#callbacks = undefined
    const body = this.#take()
    if (body === undefined && this.#write !== undefined) {
      if (callbacks !== undefined) nextTick(callAll, callbacks)
      return undefined
    }
    const chunk = body ?? new Uint8Array(0)
    try {
      if (this.#write === undefined) {
        this.#write = this.#startResponse(this.#status, this.#headers)
        this.#phase = 'streaming'
      }
      return this.#write(chunk).then(
        () => this.#delivered(chunk.length, callbacks),
        (error: unknown) => this.#undelivered(error, callbacks),
      )
    } catch (error) {
      this.#fail(asError(error))
      return undefined
    }
  }

  #delivered(bytes: number, callbacks: readonly SendCallback[] | undefined): void {
    this.#inFlightBytes -= bytes
    this.socket.writableLength = this.#inFlightBytes
    this.socket.bytesWritten += bytes
    this.socket.touch()
    if (callbacks !== undefined) callAll(callbacks)
    if (!this.#needsDrain || this.#inFlightBytes > 0) return
    this.#needsDrain = false
    // A turn later: a write that the kernel takes at once would let a handler that never runs dry starve everything else,
    // the news that its client left included.
    setImmediate(() => {
      if (this.#phase !== 'aborted') this.messages?.drain()
    })
  }

  /** The transport is gone; the signal says the rest. */
  #undelivered(error: unknown, callbacks: readonly SendCallback[] | undefined): void {
    if (callbacks !== undefined) for (const callback of callbacks) callback(asError(error))
    this.#clientLeft()
  }

  #take(): Uint8Array | undefined {
    const first = this.#first
    this.#first = undefined
    if (this.#rest === undefined || first === undefined) return first
    const all = Buffer.concat([first, ...this.#rest])
    this.#rest = undefined
    return all
  }

  #complete(body: Body): void {
    if (this.#phase === 'aborted') return
    this.#result = body
    this.#later?.resolve(body)
  }
}

function announce(exchange: NodeExchange): void {
  exchange.announce()
}

function callAll(callbacks: readonly SendCallback[]): void {
  for (const callback of callbacks) callback()
}

/** As node:http reports a client that left: `aborted`, ECONNRESET. */
export function connectionReset(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}
