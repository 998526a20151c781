/**
 * HTTP as it is on the wire. Unlike node:http it hides nothing: headers in order with their repeats, bytes after the
 * end of a response, and whether the response really ended or the connection just went away.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Target {
  readonly port: number
  /** TLS, without checking the certificate. */
  readonly tls?: boolean
}

export interface RequestSpec {
  /** Default GET. */
  readonly method?: string
  /** The request target as it goes out: nothing is encoded. */
  readonly path: string
  /** Host is added where it is not given; Content-Length where `body` is bytes; chunked where it is an iterable and no length is given. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  readonly httpVersion?: '1.0' | '1.1'
  /** Takes the body instead of `response.body`; a promise holds the reading back. */
  readonly onBody?: (chunk: Buffer) => unknown
  /** Silence that ends the exchange with an error. Default 30,000. */
  readonly timeoutMs?: number
}

export interface HttpResponse {
  readonly status: number
  readonly reason: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Joined with ", " where it is repeated; undefined where it is absent. */
  readonly header: (name: string) => string | undefined
  readonly headerAll: (name: string) => string[]
  readonly body: Buffer
  readonly text: string
  readonly bodyBytes: number
  /** Content-Length was reached, the last chunk came, or, where only the close tells, the peer closed in an orderly way. */
  readonly complete: boolean
  /** Why it is not complete: `end` (closed too early), `timeout`, or the code of a socket error. */
  readonly brokenBy: string | undefined
  readonly headMs: number
  readonly totalMs: number
}

/** One request on a connection of its own. @throws where there is no response head */
export async function httpRequest(target: Target, request: RequestSpec): Promise<HttpResponse> {
  const connection = await openHttp(target, request.timeoutMs)
  try {
    return await connection.request({
      ...request,
      headers: [...(request.headers ?? []), ...closeUnlessGiven(request.headers)],
    })
  } finally {
    connection.destroy()
  }
}

const closeUnlessGiven = (headers: RequestSpec['headers']): [string, string][] =>
  headers?.some(([name]) => name.toLowerCase() === 'connection') === true ? [] : [['Connection', 'close']]

export interface HttpConnection {
  readonly socket: Socket
  /** Sends a request and reads its response; the response may come before the request is out. */
  readonly request: (request: RequestSpec) => Promise<HttpResponse>
  readonly send: (bytes: Uint8Array | string) => void
  /** Reads one response to a request that was sent by hand. */
  readonly readResponse: (request?: Pick<RequestSpec, 'method' | 'onBody'>) => Promise<HttpResponse>
  /** What came and belongs to no response yet. */
  readonly unread: () => Buffer
  /** Reads until at least `size` bytes wait, and takes them. For what is not HTTP: an upgraded connection. */
  readonly read: (size: number) => Promise<Buffer>
  /** Resolves when the peer closed or broke the connection; what came until then stays in `unread`. */
  readonly closed: () => Promise<void>
  readonly destroy: () => void
}

export async function openHttp(target: Target, timeoutMs = 30_000): Promise<HttpConnection> {
  const socket =
    target.tls === true
      ? connectTls({ port: target.port, rejectUnauthorized: false })
      : connect(target.port, '127.0.0.1')
  await once(socket, target.tls === true ? 'secureConnect' : 'connect')
  const input = new Input(socket, timeoutMs)
  const host = `127.0.0.1:${target.port}`

  const request = async (spec: RequestSpec): Promise<HttpResponse> => {
    const startedMs = performance.now()
    // A front server that refuses the body closes while we write: the response it sent first is what counts.
    const sent = sendRequest(socket, spec, host).catch(() => undefined)
    const response = await readResponse(input, spec, startedMs)
    await Promise.race([sent, input.closed()])
    return response
  }

  return {
    socket,
    request,
    send: (bytes) => {
      socket.write(bytes)
    },
    readResponse: (spec = {}) => readResponse(input, spec, performance.now()),
    unread: () => input.waiting,
    read: (size) => input.take(size),
    closed: () => input.closed(),
    destroy: () => {
      socket.destroy()
    },
  }
}

async function sendRequest(socket: Socket, request: RequestSpec, host: string): Promise<void> {
  const { method = 'GET', path, headers = [], body, httpVersion = '1.1' } = request
  const given = new Set(headers.map(([name]) => name.toLowerCase()))
  const lines = [`${method} ${path} HTTP/${httpVersion}`]
  if (!given.has('host') && httpVersion === '1.1') lines.push(`Host: ${host}`)
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  const whole = typeof body === 'string' ? Buffer.from(body) : body instanceof Uint8Array ? body : undefined
  const pieces = typeof body === 'string' || body instanceof Uint8Array ? undefined : body
  const chunked = pieces !== undefined && !given.has('content-length')
  if (whole !== undefined && !given.has('content-length')) lines.push(`Content-Length: ${whole.length}`)
  if (chunked) lines.push('Transfer-Encoding: chunked')
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  await write(socket, whole === undefined ? head : Buffer.concat([head, whole]))
  if (pieces !== undefined) {
    for await (const chunk of pieces) {
      if (socket.destroyed) return
      if (chunked) await write(socket, Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, CRLF]))
      else await write(socket, chunk)
    }
    if (chunked) await write(socket, Buffer.from('0\r\n\r\n'))
  }
}

const CRLF = Buffer.from('\r\n')

function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())))
}

async function readResponse(
  input: Input,
  request: Pick<RequestSpec, 'method' | 'onBody'>,
  startedMs: number,
): Promise<HttpResponse> {
  const [statusLine = '', ...headerLines] = (await input.readHead()).toString('latin1').split('\r\n')
  const headMs = performance.now() - startedMs
  const status = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(statusLine)
  if (status === null) throw new Error(`no HTTP status line: ${JSON.stringify(statusLine.slice(0, 200))}`)
  const headers = headerLines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  const headerAll = (name: string): string[] =>
    headers.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  const header = (name: string): string | undefined => {
    const all = headerAll(name)
    return all.length === 0 ? undefined : all.join(', ')
  }

  const chunks: Buffer[] = []
  let bodyBytes = 0
  const sink = async (chunk: Buffer): Promise<void> => {
    bodyBytes += chunk.length
    if (request.onBody === undefined) chunks.push(chunk)
    else await request.onBody(chunk)
  }
  const code = Number(status[1])
  let brokenBy: string | undefined
  if (request.method !== 'HEAD' && code >= 200 && code !== 204 && code !== 304) {
    if (/chunked/i.test(header('transfer-encoding') ?? '')) brokenBy = await readChunks(input, sink)
    else if (header('content-length') === undefined) brokenBy = await input.pipeUntilClose(sink)
    else brokenBy = await input.pipe(Number(header('content-length')), sink)
  }
  const body = Buffer.concat(chunks)
  return {
    status: code,
    reason: status[2] ?? '',
    headers,
    header,
    headerAll,
    body,
    get text() {
      return body.toString()
    },
    bodyBytes,
    complete: brokenBy === undefined,
    brokenBy,
    headMs,
    totalMs: performance.now() - startedMs,
  }
}

/** @returns why it did not come to its end, or undefined */
async function readChunks(input: Input, sink: (chunk: Buffer) => Promise<void>): Promise<string | undefined> {
  try {
    for (;;) {
      const line = (await input.readLine()).toString('latin1')
      if (!/^[0-9a-f]+(;.*)?$/i.test(line)) return `bad chunk size ${JSON.stringify(line.slice(0, 40))}`
      const size = Number.parseInt(line, 16)
      if (size > 0) {
        const broken = await input.pipe(size, sink)
        if (broken !== undefined) return broken
      }
      const end = await input.readLine()
      if (end.length > 0) return 'a chunk is longer than its size'
      if (size === 0) return undefined
    }
  } catch (error) {
    if (error instanceof Broken) return error.by
    throw error
  }
}

class Broken extends Error {
  readonly by: string
  constructor(by: string, waiting: Buffer) {
    super(`the connection broke (${by}); unread: ${JSON.stringify(waiting.toString('latin1').slice(0, 300))}`)
    this.by = by
  }
}

/** Bytes of a socket, pulled. Holds at most one read ahead, so a reader that waits is felt by the sender. */
class Input {
  waiting: Buffer = Buffer.alloc(0)
  readonly #socket: Socket
  readonly #timeoutMs: number
  #endedBy: string | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    const ended = (by: string) => () => {
      this.#endedBy ??= by
      this.#wake?.()
    }
    socket.on('end', ended('end'))
    socket.on('close', ended('end'))
    socket.on('error', (error: NodeJS.ErrnoException) => ended(error.code ?? error.message)())
    socket.on('readable', () => this.#wake?.())
  }

  /** @returns whether there is more in `waiting` now */
  async #more(): Promise<boolean> {
    const deadline = performance.now() + this.#timeoutMs
    for (;;) {
      const chunk: Buffer | null = this.#socket.read()
      if (chunk !== null) {
        this.waiting = this.waiting.length === 0 ? chunk : Buffer.concat([this.waiting, chunk])
        return true
      }
      if (this.#endedBy !== undefined) return false
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) {
        this.#endedBy = 'timeout'
        return false
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  #broken(): Broken {
    return new Broken(this.#endedBy ?? 'end', this.waiting)
  }

  async #readUntil(mark: string): Promise<Buffer> {
    let from = 0
    for (;;) {
      const at = this.waiting.indexOf(mark, from, 'latin1')
      if (at >= 0) {
        const taken = this.waiting.subarray(0, at)
        this.waiting = this.waiting.subarray(at + mark.length)
        return taken
      }
      from = Math.max(0, this.waiting.length - mark.length)
      if (!(await this.#more())) throw this.#broken()
    }
  }

  readHead(): Promise<Buffer> {
    return this.#readUntil('\r\n\r\n')
  }

  readLine(): Promise<Buffer> {
    return this.#readUntil('\r\n')
  }

  async take(size: number): Promise<Buffer> {
    while (this.waiting.length < size) if (!(await this.#more())) throw this.#broken()
    const taken = this.waiting.subarray(0, size)
    this.waiting = this.waiting.subarray(size)
    return taken
  }

  /** @returns why fewer than `size` bytes came, or undefined */
  async pipe(size: number, sink: (chunk: Buffer) => Promise<void>): Promise<string | undefined> {
    let left = size
    while (left > 0) {
      if (this.waiting.length === 0 && !(await this.#more())) return this.#endedBy ?? 'end'
      const chunk = this.waiting.subarray(0, left)
      this.waiting = this.waiting.subarray(chunk.length)
      left -= chunk.length
      await sink(chunk)
    }
    return undefined
  }

  async pipeUntilClose(sink: (chunk: Buffer) => Promise<void>): Promise<string | undefined> {
    for (;;) {
      if (this.waiting.length === 0 && !(await this.#more())) return this.#endedBy === 'end' ? undefined : this.#endedBy
      const chunk = this.waiting
      this.waiting = Buffer.alloc(0)
      await sink(chunk)
    }
  }

  async closed(): Promise<void> {
    while (await this.#more());
  }
}
