/** An Application as a Node request listener: for node:http, Express `use`, Connect. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Application, HeaderList } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { RequestInput } from '../gateway/input.ts'
import { applicationHandler } from '../gateway/request-source.ts'
import type { Sink } from '../gateway/sink.ts'
import { drained } from './drained.ts'
import { clientLeft, createExchange, type EmbeddedOptions, paramsOf } from './embedded.ts'
import { locationOf } from './mounted.ts'

export function toNode(
  application: Application,
  options: EmbeddedOptions = {},
): (request: IncomingMessage, response: ServerResponse) => void {
  const handler = applicationHandler(application)
  return (request, response) => {
    const exchange = createExchange(new NodeSink(request, response), options, undefined)
    const encrypted = 'encrypted' in request.socket && request.socket.encrypted === true
    exchange.run(
      handler,
      paramsOf({
        method: request.method ?? 'GET',
        ...locationOf(request),
        scheme: encrypted ? 'https' : 'http',
        protocol: `HTTP/${request.httpVersion}`,
        host: request.headers.host,
        headers: pairs(request.rawHeaders),
        remoteAddress: request.socket.remoteAddress,
        remotePort: request.socket.remotePort,
      }),
    )
    feed(request, exchange.input)
    const leave = (): void => {
      if (!response.writableFinished) exchange.abort(clientLeft())
    }
    if (response.destroyed) leave()
    else response.on('close', leave)
  }
}

/** What handlers before this one did not read. Less than the client sent is an error and no end: half of a body is none. */
function feed(request: IncomingMessage, input: RequestInput): void {
  if (request.readableEnded || request.destroyed) {
    if (request.readableEnded && !request.readableDidRead) input.end()
    else input.fail(inputTaken())
    return
  }
  const announced = Number(request.headers['content-length'] ?? 0)
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    input.push(chunk)
  })
  request.on('end', () => {
    if (bytes < announced) input.fail(inputTaken())
    else input.end()
  })
}

function inputTaken(): TsgiError {
  const message = 'another handler, such as a body parser, has read the request body: put toNode before it'
  return new TsgiError('TSGI_APP_INPUT_TAKEN', message)
}

function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = []
  for (let at = 0; at < raw.length; at += 2) list.push([raw[at] ?? '', raw[at + 1] ?? ''])
  return list
}

class NodeSink implements Sink {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly bodyComesLate = false
  readonly upgrade = undefined
  readonly earlyHints = undefined

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request
    this.#response = response
  }

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    const response = this.#response
    response.statusCode = Number(status.slice(0, 3))
    response.statusMessage = status.slice(4)
    // A header that was set before gives way, as it does to setHeader; repeats among ours stay repeats.
    for (const [name] of headers) response.removeHeader(name)
    for (const [name, value] of headers) response.appendHeader(name, value)
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
    this.#response.destroy()
  }

  get saturated(): boolean {
    return this.#response.writableNeedDrain
  }

  drained(): Promise<void> {
    return drained(this.#response)
  }

  flow(wanted: boolean): void {
    if (wanted) this.#request.resume()
    else this.#request.pause()
  }
}
