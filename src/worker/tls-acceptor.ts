/** TLS on accepted TCP connections: the handshake, and the peer's certificate where one is asked for. */

import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { TlsIdentity } from '../messages.ts'
import { setCarrier } from './break-off.ts'

export interface TlsEvents {
  accepted(socket: Socket): void
  failed(why: string): void
  /** A handshake is over without a connection. */
  ended(): void
}

export class TlsAcceptor {
  readonly #server: Server
  /** Connections in their handshake, by both ends' addresses, which are one connection's as long as it lives. */
  readonly #handshakes = new Map<string, Socket>()
  readonly #events: TlsEvents

  /** @param timeoutMs for a handshake; 0: as node:tls has it */
  constructor({ cert, key, clientCa, ticketKeys }: TlsIdentity, timeoutMs: number, events: TlsEvents) {
    this.#events = events
    this.#server = createServer({
      cert,
      key,
      ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
      ...(timeoutMs > 0 && { handshakeTimeout: timeoutMs }),
      // The same in every worker: a session that began with one can be resumed with another.
      ticketKeys: Buffer.from(ticketKeys, 'base64'),
      sessionIdContext: 'tsgi',
      allowHalfOpen: true,
    })
    this.#server.on('secureConnection', (socket) => {
      const name = nameOf(socket)
      const carrier = this.#handshakes.get(name)
      this.#handshakes.delete(name)
      if (carrier === undefined) {
        socket.destroy()
        return
      }
      setCarrier(socket, carrier)
      events.accepted(socket)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      const why = reason(error, socket)
      if (why !== undefined) events.failed(why)
      // After a timeout nobody else does.
      socket.destroy()
    })
  }

  get handshakes(): number {
    return this.#handshakes.size
  }

  take(socket: Socket): void {
    const name = nameOf(socket)
    this.#handshakes.set(name, socket)
    socket.once('close', () => {
      if (this.#handshakes.get(name) !== socket) return
      this.#handshakes.delete(name)
      this.#events.ended()
    })
    this.#server.emit('connection', socket)
  }
}

const nameOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`

/** What OpenSSL tells, as what an operator can do about it; the rest speaks for itself. */
const REASONS: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST:
    'plain HTTP came, and this socket speaks TLS: use https:// here, or a listener without --tls-cert',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    'the peer showed no certificate, and --tls-client-ca asks for one (nginx: uwsgi_ssl_certificate)',
  ERR_SSL_NO_SHARED_CIPHER: 'the peer offers no cipher that the certificate of --tls-cert can be used with',
}
const NO_TLS =
  'what came is no TLS, and this socket speaks nothing else: use suwsgi:// (nginx), or a listener without --tls-cert'
const REFUSED_BY_PEER = 'the peer does not accept the certificate of --tls-cert'

/** @returns undefined for a peer that connected and left: a port scan, a health check */
function reason(
  error: Error & { readonly code?: string },
  { authorizationError, bytesRead }: TLSSocket,
): string | undefined {
  const { code = '', message } = error
  // Declared as an Error; it is the code of one.
  const refusal: unknown = authorizationError
  if (refusal) return `the certificate of the peer is not one of --tls-client-ca (${String(refusal)})`
  if (code === 'ECONNRESET' && bytesRead === 0) return undefined
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE|BAD_RECORD_TYPE|RECORD_LAYER/.test(code))
    return `${NO_TLS} (${code})`
  if (/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)$/.test(code))
    return `${REFUSED_BY_PEER} (${code})`
  return REASONS[code] ?? message
}
