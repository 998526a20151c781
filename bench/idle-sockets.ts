/** The other end of the WebSockets: opened straight at the socket, as a front server would, and then left alone. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { exchange } from '../src/client/exchange.ts'
import { type FrontRequest, frontHeaders, frontParams, parseTarget } from '../src/client/front-request.ts'
import { encodeUwsgiRequest } from '../src/client/uwsgi.ts'

export type SocketProtocol = 'uwsgi' | 'http'

/** How many handshakes are under way at the same time: fewer than a backlog holds. */
const AT_A_TIME = 64
const HANDSHAKE_DEADLINE_MS = 20_000
const SETTLE_DEADLINE_MS = 60_000
/** Descriptors that a process has besides its connections. */
const OTHER_DESCRIPTORS = 100

const plain: FrontRequest = { target: parseTarget('/'), method: 'GET', headers: [], params: [], body: undefined }

/** What a browser behind nginx sends, with a key of its own. */
const handshake = (): FrontRequest => ({
  ...plain,
  headers: [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', randomBytes(16).toString('base64')],
    ['Origin', 'http://localhost'],
    ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
    ['Accept-Language', 'en-US,en;q=0.5'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
    ['Cookie', 'session=0123456789abcdef0123456789abcdef'],
  ],
})

function handshakeBytes(protocol: SocketProtocol): Buffer {
  const request = handshake()
  if (protocol === 'uwsgi') return Buffer.concat(encodeUwsgiRequest({ params: frontParams(request) }))
  const lines = frontHeaders(request).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET / HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
}

/** @throws where one of them is not answered with 101 */
export async function openSockets(protocol: SocketProtocol, path: string, count: number): Promise<IdleSockets> {
  const sockets: Socket[] = []
  let begun = 0
  const openSome = async (): Promise<void> => {
    while (begun < count) {
      begun++
      sockets.push(await openOne(protocol, path))
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, openSome))
  } catch (error) {
    // The others of those that are under way begin no more.
    begun = count
    for (const socket of sockets) socket.destroy()
    throw error
  }
  return new IdleSockets(sockets)
}

function openOne(protocol: SocketProtocol, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let head = ''
    const give = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    socket.setTimeout(HANDSHAKE_DEADLINE_MS, () => give(new Error(`no answer to a handshake; it said ${head}`)))
    socket.once('error', give)
    socket.once('close', () => give(new Error(`the handshake was not answered with 101: ${head}`)))
    socket.on('data', (bytes) => {
      head += bytes.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      if (!head.startsWith('HTTP/1.1 101 ')) {
        give(new Error(`a handshake was answered with ${head.split('\r\n')[0]}`))
        return
      }
      // What ends a connection is 'close'; an error only says why.
      socket
        .removeAllListeners()
        .setTimeout(0)
        .on('error', () => undefined)
      resolve(socket)
    })
    socket.write(handshakeBytes(protocol))
  })
}

export class IdleSockets {
  readonly #sockets: readonly Socket[]
  #lost = 0

  constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets
    for (const socket of sockets) {
      socket.on('close', () => {
        this.#lost++
      })
      socket.resume()
    }
  }

  /** @throws where one of them has been closed by the server meanwhile */
  check(): void {
    if (this.#lost > 0) throw new Error(`${this.#lost} of ${this.#sockets.length} connections were closed`)
  }

  /** Resolves when the last of them has closed. */
  async close(): Promise<void> {
    await Promise.all(
      this.#sockets.map(
        (socket) =>
          new Promise<void>((resolve) => {
            if (socket.closed) resolve()
            else socket.once('close', () => resolve()).destroy()
          }),
      ),
    )
  }
}

/** Has the application collect its garbage, and waits until it has. */
export async function settle(protocol: SocketProtocol, path: string): Promise<void> {
  const place = { kind: 'unix', path } as const
  const signal = AbortSignal.timeout(SETTLE_DEADLINE_MS)
  for await (const event of exchange({ place, protocol, request: plain, signal })) {
    if (event.kind === 'head' && event.head.status !== 200) throw new Error(`answered ${event.head.status}`)
  }
}

/** As many connections as a process may have, Node having raised the soft limit to the hard one: `ulimit -Hn`. */
export function connectionLimit(): number {
  const limit = /^Max open files +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  return limit === undefined || limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit) - OTHER_DESCRIPTORS
}
