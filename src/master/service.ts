/** Where the master itself listens (control, statistics, metrics): never for requests. */

import type { Server } from 'node:net'
import { asError, TsgiError } from '../errors.ts'
import { parseAddress } from '../options/address.ts'
import { identify, isStill, makeRoom, own, withPrivateFiles } from './socket-file.ts'

export interface Service {
  /** With its real port. */
  readonly address: string
  /** False when the file of its socket was removed or replaced: nobody can connect. */
  readonly isReachable: () => boolean
  /** Binds anew what cannot be reached. @throws TsgiError TSGI_BIND */
  readonly renew: () => Promise<void>
  /** Removes its file, if that is still ours. */
  readonly close: () => void
}

/**
 * @param create makes a server, one more each time that it has to be bound anew.
 * @param mode of a Unix socket.
 * @throws TsgiError TSGI_BIND
 */
export async function openService(create: () => Server, address: string, mode: number): Promise<Service> {
  let bound = await bind(create(), address, mode)
  return {
    address: bound.address,
    isReachable: () => bound.isReachable(),
    renew: async () => {
      if (bound.isReachable()) return
      const renewed = await bind(create(), address, mode)
      bound.close()
      bound = renewed
    },
    close: () => bound.close(),
  }
}

async function bind(server: Server, address: string, mode: number): Promise<Omit<Service, 'renew'>> {
  const where = parseAddress(address)
  if (typeof where === 'string') throw new TsgiError('TSGI_BIND', where)
  const path = where.kind === 'unix' ? where.path : undefined
  if (path !== undefined) await makeRoom(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotBind(address, error)))
    server.once('listening', resolve)
    // Node binds within the call: the mask of files is the narrow one then.
    withPrivateFiles(() => {
      if (where.kind === 'unix') server.listen(where.path)
      else if (where.kind === 'fd') server.listen({ fd: where.fd })
      else server.listen(where.port, where.host === '' ? undefined : where.host)
    })
  })
  // An accept that fails (too many open files) is not the end of the master; the connection waits.
  server.on('error', () => undefined)
  const identity = path === undefined ? undefined : identify(path)
  if (path !== undefined) own(path, { mode, uid: undefined, gid: undefined })
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : undefined
  const isReachable = (): boolean => path === undefined || isStill(path, identity)
  return {
    address: where.kind === 'tcp' ? address.replace(/:\d+$/, `:${port}`) : address,
    isReachable,
    close: () => {
      // Node unlinks the path of a server that it closes, whosever file is there by now.
      if (isReachable()) server.close()
      else server.unref()
    },
  }
}

function cannotBind(address: string, error: unknown): TsgiError {
  const { message } = asError(error)
  return new TsgiError('TSGI_BIND', `${address} cannot be bound: ${message}; choose another address`, { cause: error })
}
