/** Between a front server and tsgi: passes the bytes on, and keeps an account of the FastCGI records in them. */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { HEADER_BYTES, TYPE } from '../../src/protocol/fastcgi-records.ts'
import { stopAfterTests } from './started.ts'

export interface SeenRecord {
  /** Which connection of the front server, from 1 on. */
  readonly connection: number
  readonly from: 'front' | 'tsgi'
  readonly type: number
  readonly requestId: number
}

export interface FastcgiRelay {
  readonly port: number
  readonly connections: () => number
  readonly records: readonly SeenRecord[]
  /** The most requests that were open at once on one connection. */
  readonly mostAtOnce: () => number
}

/** @param path where tsgi listens */
export async function startFastcgiRelay(path: string): Promise<FastcgiRelay> {
  const records: SeenRecord[] = []
  const open: Set<number>[] = []
  let most = 0
  const server = createServer({ allowHalfOpen: true }, (front) => {
    const tsgi = connect({ path, allowHalfOpen: true })
    const requests = new Set<number>()
    const connection = open.push(requests)
    const keep = (from: SeenRecord['from']) => (type: number, requestId: number) => {
      records.push({ connection, from, type, requestId })
      if (type === TYPE.beginRequest) requests.add(requestId)
      if (type === TYPE.endRequest) requests.delete(requestId)
      most = Math.max(most, requests.size)
    }
    pass(front, tsgi, keep('front'))
    pass(tsgi, front, keep('tsgi'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stopAfterTests(async () => {
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server without a port')
  return { port: address.port, connections: () => open.length, records, mostAtOnce: () => most }
}

function pass(from: Socket, to: Socket, keep: (type: number, requestId: number) => void): void {
  const read = recordHeaders(keep)
  from.on('data', read)
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroySoon())
}

/** Headers may be cut anywhere. */
function recordHeaders(keep: (type: number, requestId: number) => void): (bytes: Buffer) => void {
  const header = Buffer.alloc(HEADER_BYTES)
  let have = 0
  let skip = 0
  return (bytes) => {
    let at = 0
    while (at < bytes.length) {
      if (skip > 0) {
        const count = Math.min(skip, bytes.length - at)
        at += count
        skip -= count
        continue
      }
      const count = bytes.copy(header, have, at, at + HEADER_BYTES - have)
      at += count
      have += count
      if (have < HEADER_BYTES) return
      have = 0
      skip = header.readUInt16BE(4) + header.readUInt8(6)
      keep(header.readUInt8(1), header.readUInt16BE(2))
    }
  }
}
