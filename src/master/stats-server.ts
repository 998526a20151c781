/** `--stats`: the whole JSON to whoever connects, then the end. `--metrics`: the same numbers for Prometheus, over HTTP. */

import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer, type Server } from 'node:net'
import { asError } from '../errors.ts'
import type { Exposition, MetricsInput } from '../metrics/expose.ts'
import type { Admission } from './admission.ts'
import type { Roster } from './roster.ts'
import { openService, type Service } from './service.ts'
import { lastReport } from './status.ts'

export interface Endpoint {
  readonly address: string
  /** Of a Unix socket. */
  readonly mode: number
  readonly admits: Admission
}

const MAX_CLIENTS = 64

/** A reader that does not read is not kept. */
const CLIENT_TIMEOUT_MS = 5000

/** @throws TsgiError TSGI_BIND */
export async function openStats({ address, mode, admits }: Endpoint, read: () => object): Promise<Service> {
  const create = (): Server => {
    const server = createServer((socket) => {
      if (!admits(socket)) return
      socket.on('error', () => socket.destroy())
      socket.setTimeout(CLIENT_TIMEOUT_MS, () => socket.destroy())
      socket.resume()
      socket.end(`${JSON.stringify(read())}\n`)
    })
    server.maxConnections = MAX_CLIENTS
    return server
  }
  return openService(create, address, mode)
}

/** @throws TsgiError TSGI_BIND */
export async function openMetrics({ address, mode, admits }: Endpoint, read: () => MetricsInput): Promise<Service> {
  // A library of 76 files, which only a master with metrics needs. Here and not with the first request: they may be gone by then.
  const { exposeMetrics } = await import('../metrics/expose.ts')
  const servers: HttpServer[] = []
  const create = (): Server => {
    const server = createHttpServer((request, response) => answer(request, response, () => exposeMetrics(read())))
    // Before Node's own listener, which reads a request first.
    server.prependListener('connection', admits)
    server.maxConnections = MAX_CLIENTS
    server.requestTimeout = CLIENT_TIMEOUT_MS
    server.headersTimeout = CLIENT_TIMEOUT_MS
    servers.push(server)
    return server
  }
  const service = await openService(create, address, mode)
  return {
    ...service,
    close: () => {
      service.close()
      for (const server of servers) server.closeAllConnections()
    },
  }
}

function answer(request: IncomingMessage, response: ServerResponse, expose: () => Promise<Exposition>): void {
  const path = request.url?.split('?')[0]
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end()
  } else if (path !== '/metrics' && path !== '/') {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('The metrics are at /metrics.\n')
  } else {
    expose().then(
      ({ text, contentType }) => response.writeHead(200, { 'Content-Type': contentType }).end(text),
      (thrown: unknown) => response.writeHead(500, { 'Content-Type': 'text/plain' }).end(asError(thrown).message),
    )
  }
}

export function metricsInput({ workers, history }: Roster, nowMs: number): MetricsInput {
  return {
    past: history.counters,
    workers: workers.flatMap((worker) => {
      const tick = lastReport(worker, nowMs)
      return tick === undefined ? [] : [{ slot: worker.slot, tick, silentMs: nowMs - worker.heardAtMs }]
    }),
    master: {
      workers: workers.filter(({ phase }) => phase === 'ready').length,
      spawned: history.spawned,
      died: history.died,
      hung: history.hung,
      reloads: history.reloads,
      failedReloads: history.failedReloads,
    },
  }
}
