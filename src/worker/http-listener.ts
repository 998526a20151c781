/**
 * The built-in HTTP listener, for development and for a machine without a front server: node:http's requests become the
 * same variables and the same exchanges as a gateway protocol's.
 */

import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { HeaderList, Upgraded } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { Sink } from '../gateway/sink.ts'
import type { Endpoint } from '../protocol/proxy-header.ts'
import type { Requests } from './requests.ts'

export interface HttpSettings {
  /** 0: no limit */
  readonly readTimeoutMs: number
  allows(peer: string | undefined): boolean
}

export class HttpListener {
  readonly #server: Server
  readonly #requests: Requests
  readonly #open = new Set<Exchange>()
  readonly #sources = new WeakMap<Socket, Endpoint>()
  #connections = 0
  #draining = false
  /** node:http keeps track of connections, and of how long they take. */
  #watching = false
  /** Called when a connection has closed. */
  onClosed: () => void = () => undefined

  constructor(requests: Requests, settings: HttpSettings) {
    this.#requests = requests
    this.#server = createServer({
      headersTimeout: settings.readTimeoutMs,
      requestTimeout: 0, // a long upload is --read-timeout's and --max-body's business
      noDelay: true,
    })
    this.#server.on('connection', (socket: Socket) => {
      if (socket.remoteAddress !== undefined && !settings.allows(socket.remoteAddress)) {
        socket.destroy()
        return
      }
      this.#connections++
      socket.once('close', () => {
        this.#connections--
        this.onClosed()
      })
    })
    this.#server.once('listening', () => {
      this.#watching = true
    })
    this.#server.on('request', (request, response) => this.#serve(request, response))
    this.#server.on('upgrade', (request, socket, head) => this.#serveUpgrade(request, socket, head))
  }

  get connections(): number {
    return this.#connections
  }

  /** @param handle the copy of the listening socket that the master sent */
  listen(handle: unknown, backlog: number): { close(): void } {
    this.#server.listen(handle, backlog)
    return { close: () => void this.#server.close() }
  }

  /**
   * A connection that was accepted elsewhere.
   * @param head what was read of it already
   * @param source who connected, as a PROXY protocol header says
   */
  take(socket: Socket, head?: Uint8Array, source?: Endpoint): void {
    // node:http begins to watch for slow heads when its server listens: this one never may.
    if (!this.#watching) this.#server.emit('listening')
    if (source !== undefined) this.#sources.set(socket, source)
    if (head !== undefined) socket.unshift(head)
    this.#server.emit('connection', socket)
  }

  drain(): void {
    this.#draining = true
    this.#server.closeIdleConnections()
  }

  abortAll(reason: TsgiError): void {
    for (const exchange of [...this.#open]) exchange.abort(reason)
    this.#server.closeAllConnections()
  }

  #serve(request: IncomingMessage, response: ServerResponse, upgrade?: () => Upgraded): void {
    if (this.#draining) response.shouldKeepAlive = false
    const exchange = this.#requests.createExchange(new HttpSink(request, response, upgrade))
    this.#open.add(exchange)
    request.on('data', (chunk: Buffer) => exchange.input.push(chunk))
    request.on('end', () => exchange.input.end())
    response.on('close', () => {
      this.#open.delete(exchange)
      if (!request.complete) exchange.input.fail(truncated())
      exchange.abort(new TsgiError('TSGI_CLIENT_DISCONNECTED', 'the client closed the connection'))
    })
    this.#requests.admit(exchange, variablesOf(request, this.#sources.get(request.socket)))
  }

  #serveUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const response = new ServerResponse(request)
    // node:http hands over the net.Socket it was given; anything else was never ours.
    response.assignSocket(request.socket)
    response.shouldKeepAlive = false
    response.once('finish', () => socket.end())
    this.#serve(request, response, () => {
      response.detachSocket(request.socket)
      return { socket, head }
    })
  }
}

const truncated = (): TsgiError =>
  new TsgiError('TSGI_INPUT_TRUNCATED', 'the connection ended before the request body did')

class HttpSink implements Sink {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly upgrade: (() => Upgraded) | undefined

  constructor(request: IncomingMessage, response: ServerResponse, upgrade: (() => Upgraded) | undefined) {
    this.#request = request
    this.#response = response
    this.upgrade = upgrade
  }

  readonly earlyHints = (headers: HeaderList): void => {
    const hints: Record<string, string[]> = {}
    for (const [name, value] of headers) {
      const values = hints[name.toLowerCase()]
      if (values === undefined) hints[name.toLowerCase()] = [value]
      else values.push(value)
    }
    this.#response.writeEarlyHints(hints)
  }

  get saturated(): boolean {
    return this.#response.writableNeedDrain
  }

  drained(): Promise<void> {
    const response = this.#response
    if (!response.writableNeedDrain || response.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      const settle = (): void => {
        response.off('drain', settle)
        response.off('close', settle)
        resolve()
      }
      response.on('drain', settle)
      response.on('close', settle)
    })
  }

  flow(wanted: boolean): void {
    if (wanted) this.#request.resume()
    else this.#request.pause()
  }

  start(status: string, headers: HeaderList, chunk: Uint8Array | undefined, last: boolean): void {
    const flat: string[] = []
    let named = false
    for (const [name, value] of headers) {
      flat.push(name, value)
      named ||= name.toLowerCase() === 'server'
    }
    if (!named) flat.push('Server', 'tsgi')
    this.#response.writeHead(Number(status.slice(0, 3)), status.slice(4), flat)
    if (last) this.#response.end(chunk)
    else if (chunk === undefined) this.#response.flushHeaders()
    else this.#response.write(chunk)
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
}

/**
 * The variables that a front server would send (RFC 3875 section 4.1).
 * @param source stronger than the peer of the socket
 */
function variablesOf(request: IncomingMessage, source: Endpoint | undefined): string[] {
  const { socket, url = '/', method = 'GET', rawHeaders } = request
  const [target = '', query = ''] = splitAtQuery(url)
  const local = socket.address()
  const port = isAddressInfo(local) ? String(local.port) : '80'
  const params = ['REQUEST_METHOD', method, 'REQUEST_URI', url, 'PATH_INFO', decodePath(target), 'QUERY_STRING', query]
  const encrypted = 'encrypted' in socket
  params.push('SERVER_PROTOCOL', `HTTP/${request.httpVersion}`, 'REQUEST_SCHEME', encrypted ? 'https' : 'http')
  if (encrypted) params.push('HTTPS', 'on')
  params.push('SERVER_NAME', serverName(request.headers.host), 'SERVER_PORT', port)
  const address = source?.address ?? socket.remoteAddress
  const peerPort = source?.port ?? socket.remotePort
  if (address !== undefined) params.push('REMOTE_ADDR', address)
  if (peerPort !== undefined) params.push('REMOTE_PORT', String(peerPort))
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    // `X_A` and `X-A` would become one variable: what nginx drops is dropped here too.
    if (name.includes('_')) continue
    const variable = name.toUpperCase().replaceAll('-', '_')
    if (variable === 'CONTENT_TYPE' || variable === 'CONTENT_LENGTH') params.push(variable, value)
    // The body arrives decoded.
    else if (variable !== 'TRANSFER_ENCODING') params.push(`HTTP_${variable}`, value)
  }
  return params
}

function splitAtQuery(url: string): [string, string] {
  const at = url.indexOf('?')
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
}

function decodePath(target: string): string {
  const path = target.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/, '')
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

const serverName = (host: string | undefined): string => host?.replace(/:\d*$/, '') || 'localhost'

const isAddressInfo = (address: object): address is AddressInfo => 'port' in address
