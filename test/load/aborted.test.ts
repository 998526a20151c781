/** Clients that leave midway: what they held is given back, all of it. */

import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { httpRequest, openHttp } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { openDescriptors, rssBytes } from '../support/proc.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, socketPath, startTsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { encodeHead, encodePiece, PROTOCOLS, type Protocol, SITES } from './gateway-socket.ts'

const app = join(import.meta.dirname, 'apps', 'load.mjs')
const MIB = 1024 * 1024
const REQUESTS = 10_000
/** What is made once and stays: code, caches, pools. */
const WARM_UP = 10_000
const AT_ONCE = 20

/** Sends what it has to, and leaves when that is under way. */
type Abort = (protocol: Protocol, address: string | number) => Promise<void>

function leaving(address: string | number, sent: Buffer, leaveAt: 'sent' | 'answer'): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = typeof address === 'number' ? connect(address, '127.0.0.1') : connect(address)
    socket.on('error', reject)
    socket.on('close', () => resolve())
    const leave = (): void => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      socket.destroy()
    }
    socket.write(sent, () => {
      if (leaveAt === 'sent') leave()
    })
    if (leaveAt === 'answer') socket.once('data', leave)
  })
}

const ABORTS: Readonly<Record<string, Abort>> = {
  'in the middle of the head': (protocol, address) => {
    const head = encodeHead(protocol, { method: 'GET', path: '/', length: 0 })
    return leaving(address, head.subarray(0, head.length / 2), 'sent')
  },
  'in the middle of an upload': (protocol, address) => {
    const head = encodeHead(protocol, { method: 'POST', path: '/count', length: 1_000_000 })
    return leaving(address, Buffer.concat([head, encodePiece(protocol, Buffer.alloc(10_000))]), 'sent')
  },
  'in the middle of an upload that nobody reads': (protocol, address) => {
    const head = encodeHead(protocol, { method: 'POST', path: '/wait', length: 1_000_000 })
    return leaving(address, Buffer.concat([head, encodePiece(protocol, Buffer.alloc(10_000))]), 'sent')
  },
  'in the middle of a download': (protocol, address) => {
    const head = encodeHead(protocol, { method: 'GET', path: '/download', query: 'bytes=3000000', length: 0 })
    return leaving(address, head, 'answer')
  },
  'while the application works': (protocol, address) =>
    leaving(address, encodeHead(protocol, { method: 'GET', path: '/wait', length: 0 }), 'sent'),
}

interface State {
  readonly handles: Readonly<Record<string, number>>
  /** After a full collection. */
  readonly heapBytes: number
}

describe(`${REQUESTS} aborted requests leave nothing behind`, () => {
  const addresses: (readonly [Protocol, string | number])[] = []
  let worker: number
  let http: { readonly port: number }

  const state = async (): Promise<State> => JSON.parse((await httpRequest(http, { path: '/state' })).text) as State

  beforeAll(async () => {
    for (const protocol of PROTOCOLS) addresses.push([protocol, socketPath()], [protocol, await freePort()])
    http = { port: await freePort() }
    const args = addresses.flatMap(([protocol, address]) => [`--${protocol}`, addressText(address)])
    const listeners = [...args, '--http', addressText(http.port)]
    worker = await onlyWorker(await startTsgi({ app, args: [...listeners, '--workers', '1'] }))
  })

  /** `count` clients, `AT_ONCE` at any time, every way to leave on every kind of socket. */
  async function abort(count: number): Promise<void> {
    const ways = Object.values(ABORTS)
    let begun = 0
    const client = async (): Promise<void> => {
      while (begun < count) {
        const way = ways[begun % ways.length]
        const [protocol, address] = addresses[Math.floor(begun / ways.length) % addresses.length] ?? []
        begun += 1
        if (way !== undefined && protocol !== undefined && address !== undefined) await way(protocol, address)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, client))
  }

  test('in descriptors, handles and memory', { timeout: 180_000 }, async () => {
    const descriptors = (): number => openDescriptors(worker).length
    const open = descriptors()
    const { handles } = await state()
    const atRest = (): Promise<true> => until('their descriptors are closed', () => descriptors() <= open, 60_000)
    await abort(WARM_UP)
    await atRest()
    const heapBytes = (await state()).heapBytes
    const residentBytes = rssBytes(worker)
    await abort(REQUESTS)
    await atRest()
    // A handle whose descriptor is closed already is there until the end of the turn.
    let after = await state()
    await until('their handles are gone', async () => {
      after = await state()
      return isDeepStrictEqual(after.handles, handles)
    })
    const heapGrownBytes = after.heapBytes - heapBytes
    const residentGrownBytes = rssBytes(worker) - residentBytes
    console.log(
      `${open} descriptors before, ${descriptors()} after; ${heapGrownBytes} bytes of heap and ${residentGrownBytes} resident more`,
    )
    // 100 bytes for each would be a million.
    expect(heapGrownBytes).toBeLessThan(1_000_000)
    expect(residentGrownBytes).toBeLessThan(32 * MIB)
  })
})

const addressText = (address: string | number): string =>
  typeof address === 'number' ? `127.0.0.1:${address}` : address

describeWith(['nginx'], 'clients of nginx that leave', () => {
  for (const protocol of PROTOCOLS) {
    test(`500 over ${protocol}, while they wait and while they download: nothing stays open`, async () => {
      const socket = socketPath()
      const tsgi = await startTsgi({ app, args: [`--${protocol}`, socket, '--workers', '1'] })
      const worker = await onlyWorker(tsgi)
      const substitutions = { 'unix:/run/tsgi/app.sock': `unix:${socket}`, '/srv/app/public': tempDir() }
      const nginx = await startNginx({ sites: [{ file: SITES[protocol], substitutions }] })
      const leave = async (path: string, answered: boolean): Promise<void> => {
        const connection = await openHttp(nginx)
        connection.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
        if (answered) await connection.read(1)
        connection.destroy()
      }
      const batch = (): Promise<unknown> =>
        Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            index % 2 === 0 ? leave('/wait', false) : leave('/download?bytes=5000000', true),
          ),
        )
      const sockets = (): number => openDescriptors(worker).filter((target) => target.startsWith('socket:')).length
      const before = sockets()
      for (let count = 0; count < 50; count += 1) await batch()
      await until('no connection is open', () => sockets() <= before)
      expect((await httpRequest(nginx, { path: '/' })).text).toBe(String(worker))
    })
  }
})
