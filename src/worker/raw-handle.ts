/**
 * The undocumented part of Node that the fast accept path stands on, all of it: a listening handle tells of an accepted
 * connection before a Socket is made for it (lib/net.js, onconnection), and the accepted handle shows its descriptor.
 */

import { writeSync } from 'node:fs'
import { createServer, Socket, type SocketConstructorOpts } from 'node:net'

/** An accepted connection (libuv's stream, wrapped). */
export interface RawHandle {
  readonly fd: number
  close(): void
  getpeername?(out: { address?: string }): number
}

/** A bound socket that listens when told to. */
export interface RawListener {
  onconnection: ((status: number, client: RawHandle | undefined) => void) | null
  listen(backlog: number): number
  close(): void
}

export function isRawListener(handle: unknown): handle is RawListener {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    // A handle of a Unix socket has no `onconnection` until it is set.
    'listen' in handle &&
    typeof handle.listen === 'function' &&
    'close' in handle &&
    typeof handle.close === 'function'
  )
}

export function isRawHandle(handle: unknown): handle is RawHandle {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    'fd' in handle &&
    typeof handle.fd === 'number' &&
    handle.fd >= 0 &&
    'close' in handle &&
    typeof handle.close === 'function'
  )
}

/** A net.Socket on an accepted handle, as net.Server would make it. */
export function adopt(handle: RawHandle, options: SocketConstructorOpts): Socket {
  // net.Server makes its sockets so; the declarations know no handle of this type.
  const withHandle: object = { ...options, allowHalfOpen: true, handle }
  return new Socket(withHandle)
}

interface ReadingHandle extends RawHandle {
  readStop(): number
}

/** The handle of a plain Socket, where it can be told to stop reading. */
export function handleOf(socket: Socket): ReadingHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  return isReadingHandle(handle) ? handle : undefined
}

const isReadingHandle = (handle: unknown): handle is ReadingHandle =>
  isRawHandle(handle) && 'readStop' in handle && typeof handle.readStop === 'function'

/**
 * Takes the connection out of its Socket, which is dead afterwards. What the peer has sent and nobody has read stays in the
 * kernel, for whoever gets the descriptor. (process.send takes a Socket apart in the same way, but lets it read on meanwhile.)
 */
export function takeHandle(socket: Socket): RawHandle | undefined {
  const handle = handleOf(socket)
  handle?.readStop()
  Reflect.set(socket, '_handle', null)
  return handle
}

const PROBE = 'probe'
const PROBE_TIMEOUT_MS = 2000

/**
 * Tries the whole of it once, on a connection to ourselves: accept without a Socket, a descriptor that can be written to,
 * and a Socket made of it afterwards.
 */
export async function probeFastAccept(): Promise<boolean> {
  const server = createServer()
  const { promise, resolve } = withTimeout(PROBE_TIMEOUT_MS)
  server.once('error', () => resolve(false))
  server.listen(0, '127.0.0.1', () => {
    const listener: unknown = Reflect.get(server, '_handle')
    const address = server.address()
    if (!isRawListener(listener) || address === null || typeof address === 'string') {
      resolve(false)
      return
    }
    const client = new Socket()
    listener.onconnection = (status, handle) => {
      if (status !== 0 || !isRawHandle(handle)) {
        resolve(false)
        return
      }
      writeSync(handle.fd, PROBE)
      const socket = adopt(handle, {})
      socket.on('error', () => resolve(false))
      socket.once('close', () => client.destroy())
      socket.end()
    }
    client.on('error', () => resolve(false))
    client.once('data', (bytes) => resolve(bytes.toString('latin1') === PROBE))
    client.connect(address.port, '127.0.0.1')
  })
  const works = await promise
  server.close()
  return works
}

function withTimeout(timeoutMs: number): { promise: Promise<boolean>; resolve: (works: boolean) => void } {
  let settle: (works: boolean) => void = () => undefined
  const promise = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs)
    settle = (works) => {
      clearTimeout(timer)
      resolve(works)
    }
  })
  return { promise, resolve: settle }
}
