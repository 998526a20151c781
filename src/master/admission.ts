/** Who may read the master's numbers over TCP: as with the workers' listeners, this machine and what `--allow-from` names. */

import type { Socket } from 'node:net'
import { createRateLimit, REPEAT_INTERVAL_MS } from '../log/rate-limit.ts'
import { allowedPeers, isListed } from '../networks.ts'
import { formatAddress } from '../options/address.ts'
import type { MasterLog } from './report.ts'

/** A socket that it does not admit is destroyed. */
export type Admission = (socket: Socket) => boolean

/** @param allowFrom what the options say now: a reload may have changed them */
export function createAdmission(allowFrom: () => readonly string[], log: MasterLog): Admission {
  const say = createRateLimit(REPEAT_INTERVAL_MS)
  return (socket) => {
    const { remoteAddress: peer, localAddress, localPort } = socket
    // A Unix socket, whose mode says who may connect, or a peer that has left already.
    if (peer === undefined || isListed(peer, allowedPeers(allowFrom()))) return true
    const address = formatAddress({ kind: 'tcp', host: localAddress ?? '', port: localPort ?? 0 })
    const message = `${peer} may not connect to ${address} (--allow-from)`
    say(message, (suppressed) => log.warn({ suppressed }, message))
    socket.destroy()
    return false
  }
}
