/** The instances that a load-balancing.conf names: three members, two on sockets and one on TCP, and a standby. */

import { freePort } from '../support/ports.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { behavioursApp, makeDocumentRoot } from './start-pair.ts'

export interface Pool {
  readonly members: readonly [Tsgi, Tsgi, Tsgi]
  readonly standby: Tsgi
  /** Puts their addresses into the configuration. */
  readonly substitutions: Readonly<Record<string, string>>
}

/** @param args for each of them */
export async function startPool(args: readonly string[] = []): Promise<Pool> {
  const start = (address: string): Promise<Tsgi> =>
    startTsgi({ app: behavioursApp, args: ['--uwsgi', address, '--workers', '1', ...args] })
  const sockets = [socketPath(), socketPath()] as const
  const ports = [await freePort(), await freePort()] as const
  const [first, second, third, standby] = await Promise.all([
    start(sockets[0]),
    start(sockets[1]),
    start(`127.0.0.1:${ports[0]}`),
    start(`127.0.0.1:${ports[1]}`),
  ])
  return {
    members: [first, second, third],
    standby,
    substitutions: {
      '/run/tsgi/app-1.sock': sockets[0],
      '/run/tsgi/app-2.sock': sockets[1],
      '127.0.0.1:9001': `127.0.0.1:${ports[0]}`,
      '127.0.0.1:9002': `127.0.0.1:${ports[1]}`,
      '/srv/app/public': makeDocumentRoot(),
    },
  }
}

export const workersOf = (...instances: readonly Tsgi[]): Set<string> =>
  new Set(instances.flatMap((tsgi) => tsgi.workerPids()).map(String))
