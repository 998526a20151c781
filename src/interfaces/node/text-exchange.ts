/**
 * The way without any inner member of Node's: a response writes HTTP/1.1 text to a stream, and its head is read back here.
 * Slower by the price of that text; what runs where the self-test fails.
 */

import http from 'node:http'
import { Duplex } from 'node:stream'
import type { Body, HeaderList, StartResponse, Status, Write } from '../../application.ts'
import { asError } from '../../errors.ts'
import { withoutHopByHop } from '../../gateway/hop-by-hop.ts'
import type { RequestSource } from '../../gateway/request-source.ts'
import { splitOnce } from '../../split-once.ts'
import { ClientSocket, describeClient } from './client-socket.ts'
import { connectionReset } from './exchange.ts'
import { BodyFeed, fillRequest, type RequestConstructor } from './request.ts'

const NOTHING: readonly Uint8Array[] = []
const HEAD_END = Buffer.from('\r\n\r\n')

export function runAsText(
  source: RequestSource,
  startResponse: StartResponse,
  server: http.Server,
  Request: RequestConstructor,
): Promise<Body> {
  const described = new ClientSocket(source, server)
  const request = new Request(described)
  fillRequest(request, source.variables)
  return new Promise((resolve, reject) => {
    const feed = new BodyFeed(request, source.input, () => undefined)
    const stream = new TextStream(startResponse, () => feed.pull((error) => stream.destroy(asError(error))))
    describeClient(stream, described)
    Reflect.set(request, 'socket', stream)
    const response = new http.ServerResponse(request)
    // Framing is the gateway's: without it the body is written as it is.
    response.useChunkedEncodingByDefault = false
    response.sendDate = false
    const { writeHead } = response
    response.writeHead = (...head: unknown[]) => {
      for (const name of ['transfer-encoding', 'trailer']) response.removeHeader(name)
      return Reflect.apply(writeHead, response, head)
    }
    // assignSocket asks for a net.Socket and uses what a Duplex has.
    response.assignSocket(stream as unknown as Parameters<typeof response.assignSocket>[0])
    response.on('finish', () => {
      feed.end()
      request.resume()
      stream.end()
    })
    stream.on('finish', () => {
      resolve(NOTHING)
      stream.destroy()
    })
    stream.on('error', reject)
    const signal = source.signal()
    const leave = (): void => {
      request.destroy(connectionReset())
      stream.destroy()
      resolve(NOTHING)
    }
    signal.addEventListener('abort', leave, { once: true })
    stream.on('close', () => {
      signal.removeEventListener('abort', leave)
      if (!response.writableFinished) reject(new Error('the application destroyed the connection'))
    })
    server.emit('request', request, response)
  })
}

/** Takes the head off the text and passes the rest on. */
class TextStream extends Duplex {
  readonly #startResponse: StartResponse
  readonly #pull: () => void
  #write: Write | undefined
  #head = Buffer.alloc(0)

  constructor(startResponse: StartResponse, pull: () => void) {
    super({ allowHalfOpen: true })
    this.#startResponse = startResponse
    this.#pull = pull
  }

  override _read(): void {
    // Node's request stream resumes its socket when it wants body bytes.
    this.#pull()
  }

  override resume(): this {
    this.#pull()
    return this
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#take(chunk).then(
      () => done(),
      (error: unknown) => done(asError(error)),
    )
  }

  override _final(done: (error?: Error | null) => void): void {
    done(this.#write === undefined ? new Error('the response ended before its head was written') : null)
  }

  async #take(chunk: Buffer): Promise<void> {
    if (this.#write !== undefined) return this.#write(chunk)
    this.#head = Buffer.concat([this.#head, chunk])
    const end = this.#head.indexOf(HEAD_END)
    if (end < 0) return
    const [statusLine = '', ...lines] = this.#head.toString('latin1', 0, end).split('\r\n')
    // 'HTTP/1.1 1xx': interim, and no gateway protocol carries it.
    const rest = this.#head.subarray(end + HEAD_END.length)
    this.#head = Buffer.alloc(0)
    if (statusLine.startsWith('HTTP/1.1 1')) return rest.length > 0 ? this.#take(rest) : undefined
    this.#write = this.#startResponse(statusOf(statusLine), headersOf(lines))
    return this.#write(rest)
  }
}

function statusOf(statusLine: string): Status {
  const [, code = '500', reason = ''] = /^HTTP\/1\.1 ([0-9]{3}) ?(.*)$/.exec(statusLine) ?? []
  return `${Number(code)} ${reason}`
}

function headersOf(lines: readonly string[]): HeaderList {
  return withoutHopByHop(
    lines.map((line) => {
      const [name, value] = splitOnce(line, ':')
      return [name, value.trim()]
    }),
  )
}
