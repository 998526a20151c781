/** How a connection ends so that the peer does not take what it got for a whole response. */

import type { Socket } from 'node:net'

/** The TCP socket below each TLS one. */
const carriers = new WeakMap<Socket, Socket>()

/** A fatal alert that no key has sealed (RFC 8446 section 6): whatever TLS makes of it, it is no end in order. */
const UNSEALED_ALERT = Uint8Array.of(0x15, 0x03, 0x03, 0, 2, 2, 80)

export function setCarrier(socket: Socket, carrier: Socket): void {
  carriers.set(socket, carrier)
}

/**
 * RST on TCP. On TLS that is not enough: nginx takes a reset for a shutdown in order (ngx_ssl_handle_recv, no error in the
 * queue of OpenSSL), a record that cannot be read for what it is. A Unix socket has nothing of the kind.
 */
export function breakOff(socket: Socket): void {
  const carrier = carriers.get(socket)
  if (carrier !== undefined) {
    carrier.end(UNSEALED_ALERT)
    carrier.destroySoon()
  } else if (socket.remoteAddress === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
