/** 'upgrade' of a Node server: the real connection, after the request head (RFC 9110 section 7.8). */

import type http from 'node:http'
import type { Duplex } from 'node:stream'
import type { Body, Environ, StartResponse } from '../../application.ts'
import { asBuffer } from '../../as-buffer.ts'
import { plainAnswer } from '../../gateway/plain-answer.ts'
import type { RequestSource, RequestVariables } from '../../gateway/request-source.ts'
import { hasNoneOpen, hasOpen, type Leaving } from '../farewell.ts'
import { letFlow } from '../let-flow.ts'
import { ClientSocket, describeClient } from './client-socket.ts'
import { fillRequest, type GatewayRequest, type RequestConstructor } from './request.ts'

const EXPLANATION = 'This connection cannot be upgraded: see the error log.\n'

export function isUpgrade({ upgrade, connection }: RequestVariables): boolean {
  if (upgrade === undefined || upgrade === '') return false
  return /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection ?? '')
}

/** RFC 6455 section 5.5.1: close, unmasked as a server's frames are, with status 1001 (going away). */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9])

/** A WebSocket, or what wants to become one. */
interface Upgrading {
  /** Its handshake was answered: before that, a frame would be no frame. */
  answered: boolean
  /** The good-bye is said, or due with the answer. */
  leaving: boolean
}

/** The WebSockets of one server: nothing but a farewell ends them when the worker goes. */
export class Upgrades implements Leaving {
  readonly #webSockets = new Map<Duplex, Upgrading>()

  add(socket: Duplex): void {
    const upgrading: Upgrading = { answered: false, leaving: false }
    this.#webSockets.set(socket, upgrading)
    onFirstWrite(socket, () => {
      upgrading.answered = true
      // A turn later, for the answer comes first. A refusal ends the socket with it, and then nothing is said.
      if (upgrading.leaving) setImmediate(sayGoingAway, socket)
    })
    socket.once('close', () => {
      this.#webSockets.delete(socket)
      if (this.#webSockets.size === 0) hasNoneOpen(this)
    })
    hasOpen(this)
  }

  /** Whoever runs the WebSocket answers the client's close, as it does when the client begins. */
  goAway(): void {
    for (const [socket, upgrading] of this.#webSockets) {
      if (upgrading.leaving) continue
      upgrading.leaving = true
      if (upgrading.answered) sayGoingAway(socket)
    }
  }
}

function onFirstWrite(socket: Duplex, tell: () => void): void {
  const { write } = socket
  socket.write = (...parameters: unknown[]): boolean => {
    socket.write = write
    tell()
    return Reflect.apply(write, socket, parameters)
  }
}

function sayGoingAway(socket: Duplex): void {
  if (socket.writable) socket.write(GOING_AWAY)
}

export async function runUpgrade(
  source: RequestSource,
  startResponse: StartResponse,
  server: http.Server,
  Request: RequestConstructor,
  upgrades: Upgrades,
): Promise<Body> {
  const { environ } = source
  const upgrade = environ['tsgi.upgrade']
  if (upgrade === undefined) return refuseUpgrade(environ, startResponse)
  const { socket, head } = await upgrade(startResponse)
  if (environ['HTTP_UPGRADE']?.toLowerCase() === 'websocket') upgrades.add(socket)
  const request = upgradeRequest(source, socket, server, Request)
  server.emit('upgrade', request, socket, asBuffer(head))
  return []
}

/** FastCGI has no way to hand a connection over: say so where the operator reads. */
export function refuseUpgrade(environ: Environ, startResponse: StartResponse): Body {
  environ['tsgi.errors'].write(
    `the upgrade to ${environ['HTTP_UPGRADE']} was answered 501: this connection cannot be handed over. FastCGI carries no upgrade; ` +
      'in nginx use uwsgi_pass or scgi_pass for this location, or proxy_pass to --http, with the Upgrade and Connection headers\n',
  )
  return plainAnswer(startResponse, '501 Not Implemented', [], EXPLANATION)
}

/** A request whose `socket` is the connection itself, and whose body is empty. */
export function upgradeRequest(
  source: RequestSource,
  socket: Duplex,
  server: http.Server | undefined,
  Request: RequestConstructor,
): GatewayRequest {
  const described = new ClientSocket(source, server)
  const request = new Request(described)
  fillRequest(request, source.variables)
  request.complete = true
  request.push(null)
  // Only TCP can be reset; on a Unix socket net.Socket throws.
  if (Reflect.get(socket, 'remoteAddress') === undefined) Reflect.set(socket, 'resetAndDestroy', () => socket.destroy())
  describeClient(socket, described)
  Object.defineProperty(request, 'socket', { value: socket, configurable: true, writable: true, enumerable: true })
  letFlow(socket)
  return request
}
