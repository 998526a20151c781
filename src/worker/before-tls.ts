/**
 * What a connection that will speak TLS begins with: a PROXY protocol header where one is announced, always in front of the
 * handshake, then the hello. Read here, so that a client which sends neither, or leaves, or has forgotten about TLS, is told
 * from one that takes its time.
 */

import type { Socket } from 'node:net'
import { asError } from '../errors.ts'
import { detect } from '../protocol/detect.ts'
import { type Endpoint, parseProxyHeader } from '../protocol/proxy-header.ts'
import { refusalBytes, withoutTls } from '../protocol/wrong-protocol.ts'

interface BeforeTlsEvents {
  /** A handshake has begun: its bytes are in the socket again. @param source who connected, as the PROXY header says */
  hello(source: Endpoint | undefined): void
  /** @param answer in the protocol that the peer speaks, where it has one for that */
  wrong(error: Error, answer: Uint8Array | undefined): void
  /** It left, or was too slow. */
  gone(): void
}

interface BeforeTlsSettings {
  readonly proxyProtocol: boolean
  /** 0: no limit */
  readonly timeoutMs: number
  /** What is spoken inside TLS, for messages. */
  readonly names: readonly string[]
}

export function readBeforeTls(socket: Socket, settings: BeforeTlsSettings, events: BeforeTlsEvents): void {
  let awaitsProxyHeader = settings.proxyProtocol
  let source: Endpoint | undefined
  let held: Buffer = Buffer.alloc(0)

  const settle = (tell: () => void): void => {
    clearTimeout(late)
    socket.off('data', read)
    for (const event of ['end', 'error', 'close']) socket.off(event, leave)
    tell()
  }
  const leave = (): void =>
    settle(() => {
      // What else it reports on its way out is nobody's business.
      socket.on('error', () => undefined)
      socket.destroy()
      events.gone()
    })
  const late = settings.timeoutMs === 0 ? undefined : setTimeout(leave, settings.timeoutMs)
  const read = (bytes: Buffer): void => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes])
    try {
      if (awaitsProxyHeader) {
        const header = parseProxyHeader(held)
        if (header === undefined) return
        awaitsProxyHeader = false
        source = header.source
        held = held.subarray(header.length)
      }
    } catch (error) {
      settle(() => events.wrong(asError(error), undefined))
      return
    }
    const detected = detect(held)
    if (detected === undefined) return
    if (detected !== 'tls') {
      settle(() => events.wrong(withoutTls(detected, settings.names), refusalBytes(detected, held)))
      return
    }
    settle(() => {
      // Flowing, it would drop what is put back before TLS reads it.
      socket.pause()
      socket.unshift(held)
      events.hello(source)
    })
  }
  socket.on('data', read)
  for (const event of ['end', 'error', 'close']) socket.on(event, leave)
}
