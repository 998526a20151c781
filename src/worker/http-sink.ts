/** Where the response of one request on the HTTP listener goes: to node:http, which frames it. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HeaderList } from '../application.ts'
import { monotonicMs } from '../clock.ts'
import type { Sink } from '../gateway/sink.ts'
import { drained } from '../interfaces/drained.ts'
import { breakOff } from './break-off.ts'

interface HttpSinkSettings {
  /** The client waits for a 100 before it sends its body (RFC 9110 section 10.1.1). */
  readonly expectsContinue: boolean
  readonly lingerTimeoutMs: number
}

export class HttpSink implements Sink {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #settings: HttpSinkSettings
  #owesContinue: boolean
  /** When the body was last heard of. */
  #heardMs = monotonicMs()
  #wantsBody = true
  readonly bodyComesLate = true
  readonly upgrade = undefined
  /** Undefined for HTTP/1.0, which knows no 1xx (RFC 9110 section 15.2). */
  readonly earlyHints: Sink['earlyHints']

  constructor(request: IncomingMessage, response: ServerResponse, settings: HttpSinkSettings) {
    this.#request = request
    this.#response = response
    this.#settings = settings
    this.#owesContinue = settings.expectsContinue
    this.earlyHints = request.httpVersion === '1.0' ? undefined : (headers) => this.#hint(headers)
  }

  /** The application has begun to read. */
  bodyWanted(): void {
    if (!this.#owesContinue) return
    this.#owesContinue = false
    this.#heardMs = monotonicMs()
    if (!this.#response.headersSent && !this.#response.destroyed) this.#response.writeContinue()
  }

  /** A piece of the body arrived: who sends it waits for nothing. */
  bodyHeard(): void {
    this.#owesContinue = false
    this.#heardMs = monotonicMs()
  }

  /** For how long the client has owed us a piece of its body. */
  stalledMs(nowMs: number): number {
    if (this.#request.complete || this.#owesContinue || !this.#wantsBody) return 0
    return nowMs - this.#heardMs
  }

  /** No further request is wanted on this connection. */
  closeAfterwards(): void {
    if (!this.#response.headersSent) this.#response.shouldKeepAlive = false
  }

  /** node:http emits 'close' of the response whose turn it is, and of none that waits behind it. */
  connectionClosed(): void {
    if (this.#response.socket === null) this.#response.emit('close')
  }

  get saturated(): boolean {
    return this.#response.writableNeedDrain
  }

  drained(): Promise<void> {
    return drained(this.#response)
  }

  flow(wanted: boolean): void {
    this.#wantsBody = wanted
    this.#heardMs = monotonicMs()
    if (wanted) this.#request.resume()
    else this.#request.pause()
  }

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    const response = this.#response
    const flat: string[] = []
    let named = false
    for (const [name, value] of headers) {
      flat.push(name, value)
      named ||= name.toLowerCase() === 'server'
    }
    if (!named) flat.push('Server', 'tsgi')
    if (!this.#request.complete) this.#answerEarly(last)
    response.writeHead(Number(status.slice(0, 3)), status.slice(4), flat)
    if (last) response.end(chunk)
    else if (chunk === undefined) response.flushHeaders()
    else response.write(chunk)
  }

  chunk(bytes: Uint8Array): void {
    this.#response.write(bytes)
  }

  end(): void {
    this.#response.end()
  }

  abort(): void {
    // Without chunks, closing in order would be the end of a complete response.
    if (this.#request.httpVersion === '1.0') breakOff(this.#request.socket)
    this.#response.destroy()
  }

  #hint(headers: HeaderList): void {
    const hints: Record<string, string[]> = {}
    for (const [name, value] of headers) {
      const values = hints[name.toLowerCase()]
      if (values === undefined) hints[name.toLowerCase()] = [value]
      else values.push(value)
    }
    this.#response.writeEarlyHints(hints)
  }

  /** The response begins before the request has ended. */
  #answerEarly(whole: boolean): void {
    // A client that was not told to continue sends its body or does not: where its next request begins is not to be known.
    // One that sends a body which nobody reads may stop when it sees this.
    if (whole || this.#owesContinue) this.#response.shouldKeepAlive = false
    const request = this.#request
    const { socket } = request
    const { lingerTimeoutMs } = this.#settings
    let late: NodeJS.Timeout | undefined
    const settled = (): void => clearTimeout(late)
    request.once('close', settled)
    socket.once('close', settled)
    const giveUpLater = (): void => {
      if (!request.complete) late ??= setTimeout(() => socket.destroy(), lingerTimeoutMs)
    }
    this.#response.once('finish', giveUpLater)
    // node:http calls this after a last response. Closing over unread bytes would reset the connection, and the response would
    // be lost on its way (tcp(7), RFC 9112 section 9.6): only our side ends, and the body is read to its end, or for that long.
    socket.destroySoon = () => {
      Reflect.deleteProperty(socket, 'destroySoon')
      if (request.complete) {
        socket.destroySoon()
        return
      }
      giveUpLater()
      socket.end()
      request.once('end', () => socket.destroySoon())
    }
  }
}
