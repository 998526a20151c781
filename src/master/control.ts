/** The control socket of a running master. Who may open its file may command; garbage costs the one connection it came on. */

import { createServer, type Server, type Socket } from 'node:net'
import { MessageChannel } from '../channel.ts'
import { TsgiError } from '../errors.ts'
import { parseAddress } from '../options/address.ts'
import { type ControlCommand, type ControlOutcome, type ControlReply, parseControlCommand } from './control-messages.ts'
import { openService, type Service } from './service.ts'

/** Tells one client how its command goes. After `done` nothing more is said. */
export interface Asker {
  readonly progress: (text: string) => void
  readonly done: (outcome: ControlOutcome) => void
}

const PRIVATE_MODE = 0o600
const MAX_CLIENTS = 256

/**
 * @param carryOut called once for each command that was understood.
 * @returns closed, it still sends the outcomes that are on their way.
 * @throws TsgiError TSGI_BIND | TSGI_USAGE
 */
export async function openControl(
  address: string,
  carryOut: (command: ControlCommand, asker: Asker) => void,
  warn: (message: string) => void,
): Promise<Service> {
  const where = parseAddress(address)
  if (typeof where !== 'string' && where.kind !== 'unix') {
    throw new TsgiError('TSGI_USAGE', `--control ${address}: it takes a Unix socket, whose file says who may use it`)
  }
  const clients = new Set<Socket>()
  const serve = (socket: Socket): void => {
    clients.add(socket)
    socket.on('close', () => clients.delete(socket))
    const channel = new MessageChannel<ControlCommand, ControlReply>(socket, parseControlCommand, {
      message: (command) =>
        carryOut(command, {
          progress: (text) => channel.send({ kind: 'progress', text }),
          done: (outcome) => {
            channel.send(outcome)
            channel.end()
          },
        }),
      close: (error) => {
        if (error !== undefined) warn(`control socket: a connection was closed: ${error.message}`)
      },
    })
  }
  const create = (): Server => {
    const server = createServer(serve)
    server.maxConnections = MAX_CLIENTS
    return server
  }
  const service = await openService(create, address, PRIVATE_MODE)
  return {
    ...service,
    close: () => {
      service.close()
      for (const client of clients) client.destroySoon()
    },
  }
}
