/** TLS on accepted TCP connections: the handshake, and the peer's certificate where one is asked for. */

import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { monotonicMs } from '../clock.ts'
import type { TlsIdentity } from '../messages.ts'
import type { Endpoint } from '../protocol/proxy-header.ts'
import { readBeforeTls } from './before-tls.ts'
import { setCarrier } from './break-off.ts'

interface TlsEvents {
  /** @param source who connected, as a PROXY protocol header says */
  accepted(socket: Socket, source: Endpoint | undefined): void
  /** No TLS came. @param answer in the protocol that the peer speaks, where it has one for that */
  wrong(socket: Socket, error: Error, answer: Uint8Array | undefined): void
  failed(why: string): void
  /** A handshake is over without a connection. */
  ended(): void
}

interface TlsSettings {
  readonly identity: TlsIdentity
  /** For what comes before a handshake, and for the handshake. 0: no limit */
  readonly timeoutMs: number
  readonly proxyProtocol: boolean
  /** What is spoken inside TLS, for messages. */
  readonly names: readonly string[]
}

interface Handshake {
  readonly carrier: Socket
  readonly source: Endpoint | undefined
}

export class TlsAcceptor {
  readonly #server: Server
  readonly #settings: TlsSettings
  readonly #events: TlsEvents
  /** For their first bytes, and since when. */
  readonly #waiting = new Map<Socket, number>()
  /** By both ends' addresses, which are one connection's as long as it lives. */
  readonly #handshakes = new Map<string, Handshake>()

  constructor(settings: TlsSettings, events: TlsEvents) {
    const { identity, timeoutMs } = settings
    const { cert, key, clientCa, ticketKeys } = identity
    this.#settings = settings
    this.#events = events
    this.#server = createServer({
      cert,
      key,
      ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
      ...(timeoutMs > 0 && { handshakeTimeout: timeoutMs }),
      // The same in every worker: a session that began with one can be resumed with another.
      ticketKeys: Buffer.from(ticketKeys, 'base64'),
      sessionIdContext: 'tsgi',
    })
    this.#server.on('secureConnection', (socket) => {
      const name = nameOf(socket)
      const handshake = this.#handshakes.get(name)
      this.#handshakes.delete(name)
      if (handshake === undefined) {
        socket.destroy()
        return
      }
      socket.allowHalfOpen = true
      setCarrier(socket, handshake.carrier)
      events.accepted(socket, handshake.source)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      events.failed(reason(error, socket))
      // After a timeout nobody else does.
      socket.destroy()
    })
  }

  /** Connections that are on their way to be accepted. */
  get pending(): number {
    return this.#waiting.size + this.#handshakes.size
  }

  /** Closes what came before `beforeMs`, on the clock of monotonicMs(), and has sent nothing of a handshake. */
  closeSilent(beforeMs: number): void {
    for (const [socket, sinceMs] of this.#waiting) if (sinceMs <= beforeMs) socket.destroy()
  }

  take(socket: Socket): void {
    this.#waiting.set(socket, monotonicMs())
    readBeforeTls(socket, this.#settings, {
      hello: (source) => {
        this.#waiting.delete(socket)
        this.#shakeHands({ carrier: socket, source })
      },
      wrong: (error, answer) => {
        this.#waiting.delete(socket)
        this.#events.wrong(socket, error, answer)
        this.#events.ended()
      },
      gone: () => {
        this.#waiting.delete(socket)
        this.#events.ended()
      },
    })
  }

  #shakeHands(handshake: Handshake): void {
    const { carrier } = handshake
    const name = nameOf(carrier)
    this.#handshakes.set(name, handshake)
    carrier.once('close', () => {
      if (this.#handshakes.get(name) !== handshake) return
      this.#handshakes.delete(name)
      this.#events.ended()
    })
    // Taken over by the TLS socket: who ends its side in the handshake has left, and only this closes the connection then.
    carrier.allowHalfOpen = false
    this.#server.emit('connection', carrier)
  }
}

const nameOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`

const REFUSED_BY_PEER = /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)$/

/** What OpenSSL tells, as what an operator can do about it; the rest speaks for itself. */
function reason(
  error: Error & { readonly code?: string; readonly reason?: string },
  { authorizationError }: TLSSocket,
): string {
  const { code = '', message } = error
  // Declared as an Error; it is the code of one.
  const refusal: unknown = authorizationError
  if (refusal) return `the certificate of the peer is not one of --tls-client-ca (${String(refusal)})`
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return 'the peer showed no certificate, and --tls-client-ca asks for one (nginx: uwsgi_ssl_certificate)'
  if (REFUSED_BY_PEER.test(code)) return `the peer does not accept the certificate of --tls-cert (${code})`
  // The message has a thread, numbers and a line of OpenSSL's source around it.
  return error.reason ?? message
}
