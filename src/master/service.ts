/** Where the master itself listens (control, statistics, metrics): never for requests. */

import type { Server } from 'node:net'
import { asError, TsgiError } from '../errors.ts'
import { parseAddress } from '../options/address.ts'
import { identify, isStill, makeRoom, own, withPrivateFiles } from './socket-file.ts'

/**
 * Makes `server` listen at `address`.
 * @param mode of a Unix socket.
 * @returns the address with its real port, and what closes the server and removes its file, if that is still ours.
 * @throws TsgiError TSGI_BIND
 */
export async function openService(
  server: Server,
  address: string,
  mode: number,
): Promise<{ readonly address: string; readonly close: () => void }> {
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
  return {
    address: where.kind === 'tcp' ? address.replace(/:\d+$/, `:${port}`) : address,
    close: () => {
      // Node unlinks the path of a server that it closes, whosever file is there by now.
      if (path === undefined || isStill(path, identity)) server.close()
      else server.unref()
    },
  }
}

function cannotBind(address: string, error: unknown): TsgiError {
  const { message } = asError(error)
  return new TsgiError('TSGI_BIND', `${address} cannot be bound: ${message}; choose another address`, { cause: error })
}
