/** TLS on accepted TCP connections: the handshake, and the peer's certificate where one is asked for. */

import type { Socket } from 'node:net'
import { createServer, type Server } from 'node:tls'
import type { TlsIdentity } from '../messages.ts'

export interface TlsEvents {
  /** @param below the TCP socket that carries it: only that one can be reset */
  accepted(socket: Socket, below: Socket): void
  failed(why: string): void
}

export class TlsAcceptor {
  readonly #server: Server
  /** Connections in their handshake, by the peer's address and port, which are one connection's as long as it lives. */
  readonly #below = new Map<string, Socket>()

  constructor({ cert, key, clientCa }: TlsIdentity, events: TlsEvents) {
    this.#server = createServer({
      cert,
      key,
      ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
      allowHalfOpen: true,
    })
    this.#server.on('secureConnection', (socket) => {
      const below = this.#below.get(nameOf(socket))
      if (below === undefined) socket.destroy()
      else events.accepted(socket, below)
    })
    this.#server.on('tlsClientError', (error) => events.failed(error.message))
  }

  take(socket: Socket): void {
    const name = nameOf(socket)
    this.#below.set(name, socket)
    socket.once('close', () => this.#below.delete(name))
    this.#server.emit('connection', socket)
  }
}

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
