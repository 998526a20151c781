/**
 * A gigabyte into a worker that has just started and has no free memory yet. Straight to its socket: what nginx adds is tested
 * in test/front, and nginx before 1.29.6 announces a wrong CONTENT_LENGTH over SCGI where it does not buffer.
 */

import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CLIENTS } from '../../src/client/clients.ts'
import { collectResponse, type ResponseEvent } from '../../src/client/request.ts'
import { peakRssBytes, rssBytes } from '../support/proc.ts'
import { onlyWorker, socketPath, startTsgi } from '../support/tsgi.ts'
import { encodeBodyEnd, encodeHead, encodePiece, PROTOCOLS, type Protocol } from './gateway-socket.ts'

const app = join(import.meta.dirname, 'apps', 'load.mjs')
const MB = 1_000_000
const MIB = 1024 * 1024
const piece = Buffer.alloc(50_000, 'x')

/** @returns what the application counted */
async function upload(protocol: Protocol, socketFile: string, bytes: number): Promise<number> {
  const parser = CLIENTS[protocol].createResponseParser(false)
  const events: ResponseEvent[] = []
  const socket = connect(socketFile)
  socket.on('data', (chunk) => events.push(...parser.feed(chunk)))
  const ended = once(socket, 'end')
  socket.write(encodeHead(protocol, { method: 'POST', path: '/count', length: bytes }))
  const encoded = encodePiece(protocol, piece)
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!socket.write(encoded)) await once(socket, 'drain')
  }
  const last = encodeBodyEnd(protocol)
  if (last.length > 0) socket.write(last)
  await ended
  events.push(...parser.close())
  socket.destroy()
  return Number(collectResponse(events).body)
}

for (const protocol of PROTOCOLS) {
  test(`1 GB over ${protocol} costs a fresh worker less than 32 MiB`, async () => {
    const socket = socketPath()
    const tsgi = await startTsgi({ app, args: [`--${protocol}`, socket, '--workers', '1', '--max-body', '0'] })
    const worker = await onlyWorker(tsgi)
    await upload(protocol, socket, MB)
    const before = rssBytes(worker)
    expect(await upload(protocol, socket, 1000 * MB)).toBe(1000 * MB)
    const grownBytes = peakRssBytes(worker) - before
    console.log(`${protocol}: ${(grownBytes / MIB).toFixed(1)} MiB more at most, of ${(before / MIB).toFixed(0)}`)
    expect(grownBytes).toBeLessThan(32 * MIB)
  })
}
