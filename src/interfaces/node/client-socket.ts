/**
 * What a Node application sees as `req.socket`: the client as the front server described it, without a stream below.
 * Plain members throughout: applications and tests assign to them (`req.connection.encrypted = true`).
 */

import { EventEmitter } from 'node:events'
import type { Environ } from '../../application.ts'
import type { RequestSource } from '../../gateway/request-source.ts'

/** What the socket asks of the request it belongs to. */
export interface SocketOwner {
  /** The application wants more of the request body. */
  resume(): void
  /** Everything written since `cork` may go out. */
  uncorked(): void
  /** `end` of the response is about to uncork: what was written is the last. */
  ending(): void
  /** The application destroyed the socket. */
  destroyed(error: Error | undefined): void
  /** Nothing happened for as long as `setTimeout` said. True when somebody listened. */
  timedOut(): boolean
}

/**
 * The constructor of EventEmitter makes the store of the listeners at once; most of these sockets never have one, and whoever
 * adds the first finds that there is none.
 */
function WithoutStore(): void {
  return
}
WithoutStore.prototype = EventEmitter.prototype
// TypeScript has no type for a plain function called with `new`.
const Emitter = WithoutStore as unknown as new () => EventEmitter

const DESCRIBED = [
  'remoteAddress',
  'remotePort',
  'remoteFamily',
  'localAddress',
  'localPort',
  'encrypted',
  'authorized',
] as const satisfies readonly (keyof ClientSocket)[]

/** A stream that stands for `described` says the same of the client, and has no member that the other one lacks. */
export function describeClient(stream: object, described: ClientSocket): void {
  for (const name of DESCRIBED) {
    if (name in described) {
      const value = described[name]
      Object.defineProperty(stream, name, { value, configurable: true, writable: true, enumerable: true })
    } else Reflect.deleteProperty(stream, name)
  }
}

export class ClientSocket extends Emitter {
  readonly #source: RequestSource
  owner: SocketOwner | undefined = undefined
  _httpMessage: unknown = null
  readonly parser = null
  server: unknown
  readable = true
  writable = true
  destroyed = false
  connecting = false
  readonly pending = false
  readonly readyState = 'open'
  readonly readableHighWaterMark = 65_536
  readonly writableHighWaterMark = 65_536
  writableLength = 0
  bytesRead = 0
  bytesWritten = 0
  timeout = 0
  _paused = false
  /** As in Node a plain socket has no such member: AdonisJS asks whether it is there, and not what it says. */
  declare encrypted?: boolean
  #corked = 0
  #timer: NodeJS.Timeout | undefined = undefined
  #remoteAddress: string | undefined = undefined
  #isAnnounced = false

  constructor(source: RequestSource, server: unknown) {
    super()
    this.#source = source
    this.server = server
    if (source.variables.scheme === 'https') this.encrypted = true
  }

  get environ(): Environ {
    return this.#source.environ
  }

  get remoteAddress(): string | undefined {
    return this.#remoteAddress ?? this.#variable('REMOTE_ADDR')
  }

  set remoteAddress(address: string | undefined) {
    this.#remoteAddress = address
  }

  get remotePort(): number | undefined {
    return portOf(this.#variable('REMOTE_PORT'))
  }

  get remoteFamily(): string | undefined {
    return familyOf(this.remoteAddress)
  }

  get localAddress(): string | undefined {
    return this.#variable('SERVER_ADDR')
  }

  get localPort(): number | undefined {
    return portOf(this.#variable('SERVER_PORT'))
  }

  get localFamily(): string | undefined {
    return familyOf(this.localAddress)
  }

  /** TLS was ended by the front server: what it verified of a client certificate (nginx `$ssl_client_verify`). */
  get authorized(): boolean {
    return this.#variable('SSL_CLIENT_VERIFY') === 'SUCCESS'
  }

  /** One object less per request: of a stream's state only `corked` is ever used. */
  get _writableState(): this {
    return this
  }

  get writableCorked(): number {
    return this.#corked
  }

  get corked(): number {
    return this.#corked
  }

  /** Node's `end` assigns this right before its last `uncork`: the only sign that no more will be written. */
  set corked(count: number) {
    this.#corked = count
    this.owner?.ending()
  }

  get writableEnded(): boolean {
    return this.destroyed
  }

  get closed(): boolean {
    return this.destroyed
  }

  address(): { address?: string; port?: number; family?: string } {
    const { localAddress, localPort, localFamily } = this
    return {
      ...(localAddress === undefined ? {} : { address: localAddress }),
      ...(localPort === undefined ? {} : { port: localPort }),
      ...(localFamily === undefined ? {} : { family: localFamily }),
    }
  }

  cork(): void {
    this.#corked++
  }

  uncork(): void {
    if (this.#corked === 0) return
    this.#corked--
    if (this.#corked === 0) this.owner?.uncorked()
  }

  /** Raw bytes have no place in a gateway protocol: the response object is the only way out. */
  write(): boolean {
    this.destroy(new Error('raw bytes were written to req.socket: a gateway protocol carries responses only'))
    return false
  }

  end(): this {
    return this.destroy()
  }

  destroySoon(): void {
    this.destroy()
  }

  resetAndDestroy(): this {
    return this.destroy()
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.close()
    // Nobody has to listen: node:http itself does on its sockets.
    if (error !== undefined && this.listenerCount('error') > 0) process.nextTick(() => this.emit('error', error))
    this.owner?.destroyed(error)
    return this
  }

  /** Marks the socket closed without telling the owner, who knows. */
  close(): void {
    this.destroyed = true
    this.readable = false
    this.writable = false
    this.stopTimer()
  }

  /** 'close', once: by the abort of a request, or after its response. */
  announceClose(): void {
    if (this.#isAnnounced) return
    this.#isAnnounced = true
    this.close()
    this.emit('close', false)
  }

  /** Called by the request stream when it wants to be fed. */
  resume(): this {
    this.owner?.resume()
    return this
  }

  pause(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  setEncoding(): this {
    return this
  }

  setTimeout(durationMs: number, callback?: () => void): this {
    this.stopTimer()
    this.timeout = durationMs
    if (callback !== undefined) {
      if (durationMs === 0) this.removeListener('timeout', callback)
      else this.once('timeout', callback)
    }
    if (durationMs > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.#timedOut(), durationMs)
      this.#timer.unref()
    }
    return this
  }

  /** Something was sent or received: a timeout counts silence only. */
  touch(): void {
    this.#timer?.refresh()
  }

  stopTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #variable(name: string): string | undefined {
    return this.#source.variables.get(name)
  }

  #timedOut(): void {
    this.emit('timeout')
    if (this.owner?.timedOut() !== true) this.destroy()
  }
}

function portOf(value: string | undefined): number | undefined {
  const port = Number(value)
  return value !== undefined && value !== '' && Number.isInteger(port) ? port : undefined
}

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
