/** `--stats`: the whole JSON to whoever connects, then the end. `--metrics`: the same numbers for Prometheus, over HTTP. */

import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { asError } from '../errors.ts'
import { exposeMetrics, type MetricsInput } from '../metrics/expose.ts'
import type { Roster } from './roster.ts'
import { openService } from './service.ts'

export interface Service {
  readonly address: string
  readonly close: () => void
}

const MAX_CLIENTS = 64

/** A reader that does not read is not kept. */
const CLIENT_TIMEOUT_MS = 5000

/** @throws TsgiError TSGI_BIND */
export async function openStats(address: string, mode: number, read: () => object): Promise<Service> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.setTimeout(CLIENT_TIMEOUT_MS, () => socket.destroy())
    socket.resume()
    socket.end(`${JSON.stringify(read())}\n`)
  })
  server.maxConnections = MAX_CLIENTS
  return openService(server, address, mode)
}

/** @throws TsgiError TSGI_BIND */
export async function openMetrics(address: string, mode: number, read: () => MetricsInput): Promise<Service> {
  const server = createHttpServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end()
    } else if (path !== '/metrics' && path !== '/') {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('The metrics are at /metrics.\n')
    } else {
      exposeMetrics(read()).then(
        ({ text, contentType }) => response.writeHead(200, { 'Content-Type': contentType }).end(text),
        (thrown: unknown) => response.writeHead(500, { 'Content-Type': 'text/plain' }).end(asError(thrown).message),
      )
    }
  })
  server.maxConnections = MAX_CLIENTS
  server.requestTimeout = CLIENT_TIMEOUT_MS
  server.headersTimeout = CLIENT_TIMEOUT_MS
  const service = await openService(server, address, mode)
  return {
    address: service.address,
    close: () => {
      service.close()
      server.closeAllConnections()
    },
  }
}

export function metricsInput({ workers, history }: Roster): MetricsInput {
  return {
    past: history.counters,
    workers: workers.flatMap(({ slot, tick }) => (tick === undefined ? [] : [{ slot, tick }])),
    master: {
      workers: workers.filter(({ phase }) => phase === 'ready').length,
      spawned: history.spawned,
      died: history.died,
      reloads: history.reloads,
      failedReloads: history.failedReloads,
    },
  }
}
