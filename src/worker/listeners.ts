/**
 * The listening sockets of a worker. The master binds and holds them; a worker listens on copies, lets go of them at its
 * cap so that the others get the connections, and asks for them again when it has room.
 */

import { type AddressInfo, type BlockList, createServer, type Server, type Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { errorCode, TsgiError } from '../errors.ts'
import type { Log } from '../log/logger.ts'
import { createRateLimit, REPEAT_INTERVAL_MS } from '../log/rate-limit.ts'
import type { ListenerInfo, TlsIdentity } from '../messages.ts'
import { isListed } from '../networks.ts'
import type { Protocol } from '../protocol/codec.ts'
import { PROTOCOLS } from '../protocol/protocols.ts'
import { Descriptors } from './descriptors.ts'
import type { Proxied } from './first-bytes.ts'
import { UNUSED_MS } from './hold-back.ts'
import { handleOf, isRawListener, type RawHandle, type RawListener } from './raw-handle.ts'
import { TlsAcceptor } from './tls-acceptor.ts'

interface ListenerSettings {
  readonly backlog: number
  readonly fast: boolean
  /** Peers that may connect over TCP. */
  readonly allowed: BlockList
  /** Spoken on TCP listeners. */
  readonly tls: TlsIdentity | undefined
  /** 0: no limit */
  readonly handshakeTimeoutMs: number
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean
  readonly log: Log
}

/** Where accepted connections go. */
interface Accepting {
  /** @returns whether it is still open: what was answered in this turn holds no file descriptor */
  acceptHandle(handle: RawHandle, listener: ListenerInfo, expected: readonly Protocol[]): boolean
  /** @param proxied what the PROXY protocol header said, where it came before TLS and was read with it */
  acceptSocket(socket: Socket, listener: ListenerInfo, expected: readonly Protocol[], proxied?: Proxied): void
  /** It speaks nothing that this listener does. */
  refuse(socket: Socket, listener: ListenerInfo, error: Error, answer: Uint8Array | undefined): void
  /** A TLS handshake that was waited for has come to nothing. */
  handshakeEnded(): void
  /** The connection accepted last has one of the last file descriptors. */
  descriptorsScarce(): void
  /** Nothing will ever come from one of the sockets. */
  cannotListen(error: TsgiError): void
}

/** The first one may have begun before the addresses were gone. */
const QUIET_TURNS = 3
const MAX_TURNS = 10_000

/** One open copy of a listening socket. */
interface ListeningCopy {
  close(): void
}

export class Listeners {
  readonly #infos: readonly ListenerInfo[]
  readonly #settings: ListenerSettings
  readonly #accepting: Accepting
  readonly #descriptors = new Descriptors()
  readonly #say = createRateLimit(REPEAT_INTERVAL_MS)
  /** By the number of the listener. */
  readonly #copies = new Map<number, ListeningCopy>()
  /** Those that have come, until all others are there. */
  readonly #held = new Map<number, unknown>()
  #accepted = 0
  /** One for each listener, whichever copy of it is open; where none is, their handshakes go on. */
  readonly #acceptors = new Map<ListenerInfo, TlsAcceptor>()

  constructor(infos: readonly ListenerInfo[], settings: ListenerSettings, accepting: Accepting) {
    this.#infos = infos
    this.#settings = settings
    this.#accepting = accepting
  }

  /** Copies that come. */
  get count(): number {
    return this.#infos.length
  }

  /** All of them have. */
  get complete(): boolean {
    return this.#copies.size === this.count
  }

  /** @param handle the copy of listener `index` that the master sent; takes the place of an earlier one */
  add(index: number, handle: unknown): void {
    const listener = this.#infos[index]
    if (listener === undefined) throw new RangeError(`the master sent a socket number ${index} that nobody announced`)
    this.#held.set(index, handle)
    // All in one turn: to the master this worker serves nobody before it is ready, and ends without more ado if it is to leave.
    if (!this.complete && this.#held.size < this.count) return
    for (const [each, held] of this.#held) this.#open(each, held)
    this.#held.clear()
  }

  #open(index: number, handle: unknown): void {
    const listener = this.#infos[index]
    const copy = listener === undefined ? undefined : this.#listen(handle, listener)
    if (copy === undefined) return
    const before = this.#copies.get(index)
    this.#copies.set(index, copy)
    before?.close()
  }

  /** Connections between accept and the end of their TLS handshake. */
  get handshakes(): number {
    let total = 0
    for (const { pending } of this.#acceptors.values()) total += pending
    return total
  }

  /**
   * Closes the copies when no connection waits any more, and calls back. libuv accepts one for each turn of the event loop, so a
   * turn without one says that the queue is empty; connections may go on coming over TCP, and are not waited for without end.
   */
  releaseWhenEmpty(done: () => void): void {
    let before = this.#accepted
    let quietTurns = 0
    let turns = 0
    const look = (): void => {
      quietTurns = this.#accepted === before ? quietTurns + 1 : 0
      before = this.#accepted
      turns += 1
      if (quietTurns < QUIET_TURNS && turns < MAX_TURNS) {
        setImmediate(look)
        return
      }
      // Right here, before V8 has to compile anything: what connects between the last look and the close is lost.
      for (const copy of this.#copies.values()) copy.close()
      this.#copies.clear()
      done()
    }
    setImmediate(look)
  }

  release(): void {
    for (const held of this.#held.values()) if (isRawListener(held)) held.close()
    this.#held.clear()
    for (const copy of this.#copies.values()) copy.close()
    this.#copies.clear()
  }

  /** Who has connected and said nothing is not waited for in a drain. */
  closeSilent(nowMs: number): void {
    for (const acceptor of this.#acceptors.values()) acceptor.closeSilent(nowMs - UNUSED_MS)
  }

  /** @returns undefined where it cannot listen, which was told then */
  #listen(handle: unknown, listener: ListenerInfo): ListeningCopy | undefined {
    const { tls } = this.#settings
    if (tls !== undefined && listener.transport === 'tcp') return this.#listenTls(handle, listener, tls)
    if (this.#settings.fast && isRawListener(handle)) return this.#listenFast(handle, listener)
    return this.#listenDocumented(handle, listener)
  }

  #listenFast(handle: RawListener, listener: ListenerInfo): ListeningCopy | undefined {
    const expected = expectedProtocols(listener.protocol)
    const guarded = listener.transport === 'tcp'
    handle.onconnection = (status, client) => {
      this.#accepted += 1
      // That it is one, the probe has shown.
      if (status !== 0 || client === undefined) {
        this.#acceptFailed(listener, `error ${status}`)
        return
      }
      if (guarded && !this.#allows(peerOf(client), listener)) {
        client.close()
        return
      }
      if (this.#accepting.acceptHandle(client, listener, expected)) this.#watchDescriptors(client.fd)
    }
    const status = handle.listen(this.#settings.backlog)
    if (status === 0) return handle
    this.#accepting.cannotListen(listenError(listener, getSystemErrorName(status)))
    return undefined
  }

  #listenDocumented(handle: unknown, listener: ListenerInfo): ListeningCopy | undefined {
    const expected = expectedProtocols(listener.protocol)
    return this.#listenWith(handle, listener, (socket) => this.#accepting.acceptSocket(socket, listener, expected))
  }

  #listenTls(handle: unknown, listener: ListenerInfo, identity: TlsIdentity): ListeningCopy | undefined {
    const known = this.#acceptors.get(listener)
    const acceptor = known ?? this.#createAcceptor(listener, identity)
    this.#acceptors.set(listener, acceptor)
    return this.#listenWith(handle, listener, (socket) => acceptor.take(socket))
  }

  #createAcceptor(listener: ListenerInfo, identity: TlsIdentity): TlsAcceptor {
    const expected = expectedProtocols(listener.protocol)
    const { handshakeTimeoutMs: timeoutMs, proxyProtocol } = this.#settings
    const names = expected.map(({ name }): string => name)
    if (expected.length !== 1) names.push('http')
    return new TlsAcceptor(
      { identity, timeoutMs, proxyProtocol, names },
      {
        accepted: (socket, source) => this.#accepting.acceptSocket(socket, listener, expected, { source }),
        wrong: (socket, error, answer) => this.#accepting.refuse(socket, listener, error, answer),
        failed: (why) => this.#handshakeFailed(listener, why),
        ended: () => this.#accepting.handshakeEnded(),
      },
    )
  }

  #listenWith(handle: unknown, listener: ListenerInfo, accept: (socket: Socket) => void): ListeningCopy | undefined {
    const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accepted += 1
      if (listener.transport === 'tcp' && !this.#allows(socket.remoteAddress, listener)) {
        socket.destroy()
        return
      }
      const fd = handleOf(socket)?.fd
      accept(socket)
      if (fd !== undefined) this.#watchDescriptors(fd)
    })
    server.on('error', (error) => {
      if (server.listening) this.#acceptFailed(listener, error.message)
      else this.#accepting.cannotListen(listenError(listener, errorCode(error) ?? error.message))
    })
    server.listen(handle, this.#settings.backlog)
    return server.listening ? server : undefined
  }

  #watchDescriptors(fd: number): void {
    if (!this.#descriptors.areScarce(fd)) return
    const message = `few of ${this.#descriptors.limit} file descriptors are left: new connections wait until others close; raise the limit (LimitNOFILE=, ulimit -n)`
    this.#say(message, (suppressed) => this.#settings.log.warn({ suppressed }, message))
    this.#accepting.descriptorsScarce()
  }

  /** @param peer undefined where it has left already: a balancer's check, as often as not, and nothing to talk about */
  #allows(peer: string | undefined, listener: ListenerInfo): boolean {
    if (peer === undefined) return false
    if (isListed(peer, this.#settings.allowed)) return true
    const message = `${peer} may not connect to ${listener.address} (--allow-from)`
    this.#say(message, (suppressed) => this.#settings.log.warn({ listener: listener.address, suppressed }, message))
    return false
  }

  #handshakeFailed(listener: ListenerInfo, why: string): void {
    const message = `a TLS handshake on ${listener.address} failed: ${why}`
    this.#say(message, (suppressed) => this.#settings.log.warn({ listener: listener.address, suppressed }, message))
  }

  #acceptFailed(listener: ListenerInfo, why: string): void {
    const message = `a connection to ${listener.address} could not be accepted: ${why}`
    this.#say(message, (suppressed) => this.#settings.log.error({ listener: listener.address, suppressed }, message))
  }
}

/** What bind(2) lets pass: another socket listens there, or an inherited descriptor is none that can. */
function listenError({ address }: ListenerInfo, code: string): TsgiError {
  const reason =
    code === 'EADDRINUSE'
      ? 'something listens there already, another process or another listener of this one; choose another port'
      : 'no connection can come that way; choose another address'
  return new TsgiError('TSGI_BIND', `${address} cannot be listened on (${code}): ${reason}`)
}

function peerOf(client: RawHandle): string | undefined {
  const out: Partial<AddressInfo> = {}
  return client.getpeername?.(out) === 0 ? out.address : undefined
}

/** What a listener may speak. Besides: where there is not one and only one, HTTP, which is node:http's and no row of the registry. */
function expectedProtocols(protocol: ListenerInfo['protocol']): readonly Protocol[] {
  if (protocol === 'any') return Object.values(PROTOCOLS)
  return protocol === 'http' ? [] : [PROTOCOLS[protocol]]
}
