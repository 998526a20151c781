/** One gateway request over a connection of the test's own making: in TLS, behind a header, in pieces. */

import type { Socket } from 'node:net'
import { CLIENTS } from '../../src/client/clients.ts'
import { collectResponse, type GatewayResponse, type ResponseEvent } from '../../src/client/request.ts'

export interface GatewayAsk {
  readonly protocol: keyof typeof CLIENTS
  readonly path: string
  readonly params?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** The bytes of a request as a front server writes them. */
export function encodeAsk({ protocol, path, params = {}, body }: GatewayAsk): Buffer {
  const cut = path.indexOf('?')
  const variables = {
    REQUEST_METHOD: body === undefined ? 'GET' : 'POST',
    REQUEST_URI: path,
    PATH_INFO: cut < 0 ? path : path.slice(0, cut),
    QUERY_STRING: cut < 0 ? '' : path.slice(cut + 1),
    SERVER_NAME: 'example.test',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    ...params,
  }
  const flat = Object.entries(variables).flat()
  return Buffer.concat(CLIENTS[protocol].encodeRequest({ params: flat, ...(body !== undefined && { body }) }))
}

/**
 * @param socket connected or about to be
 * @returns what came, however the connection ended
 * @throws where not even a head came
 */
export async function askOver(
  socket: Socket,
  ask: GatewayAsk,
  pieces?: Iterable<Uint8Array>,
): Promise<GatewayResponse> {
  const response = readResponse(socket, ask)
  for (const piece of pieces ?? [encodeAsk(ask)]) socket.write(piece)
  return response
}

export function readResponse(socket: Socket, { protocol }: Pick<GatewayAsk, 'protocol'>): Promise<GatewayResponse> {
  const parser = CLIENTS[protocol].createResponseParser(false)
  const events: ResponseEvent[] = []
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.destroy()
      try {
        resolve(collectResponse(events))
      } catch (error) {
        reject(error)
      }
    }
    socket.on('data', (bytes) => events.push(...parser.feed(bytes)))
    socket.once('end', () => {
      events.push(...parser.close())
      settle()
    })
    socket.once('error', settle)
    socket.once('close', settle)
  })
}

/** Resolves when the connection is closed, in whatever way: a reset is one. */
export function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined)
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}
