/** Limits that are meant for requests leave alone what a request has become. */

import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askOver, encodeAsk } from '../support/ask-over.ts'
import { httpRequest } from '../support/http-client.ts'
import { freePort } from '../support/ports.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const app = join(import.meta.dirname, 'apps', 'websockets.ts')
const uwsgi = socketPath()
let port: number
let tsgi: Tsgi

beforeAll(async () => {
  port = await freePort()
  const listeners = ['--uwsgi', uwsgi, '--http', `127.0.0.1:${port}`]
  tsgi = await startTsgi({ app, args: [...listeners, '--workers', '1', '--request-timeout', '300ms'] })
})
afterAll(() => tsgi.stop())

const HANDSHAKE = {
  HTTP_CONNECTION: 'Upgrade',
  HTTP_UPGRADE: 'websocket',
  HTTP_SEC_WEBSOCKET_VERSION: '13',
  HTTP_SEC_WEBSOCKET_KEY: 'dGhlIHNhbXBsZSBub25jZQ==',
}

interface Way {
  readonly connect: () => Socket
  readonly handshake: Uint8Array
  /** The status of a request that is never answered. */
  readonly hang: () => Promise<number>
}

const WAYS: Readonly<Record<'uwsgi' | 'HTTP', Way>> = {
  uwsgi: {
    connect: () => connect(uwsgi),
    handshake: encodeAsk({ protocol: 'uwsgi', path: '/', params: HANDSHAKE }),
    hang: async () => (await askOver(connect(uwsgi), { protocol: 'uwsgi', path: '/' })).status,
  },
  HTTP: {
    connect: () => connect(port, '127.0.0.1'),
    handshake: Buffer.from(
      [
        'GET / HTTP/1.1',
        'Host: a',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${HANDSHAKE.HTTP_SEC_WEBSOCKET_KEY}`,
        '\r\n',
      ].join('\r\n'),
    ),
    hang: async () => (await httpRequest({ port }, { path: '/' })).status,
  },
}

/** What comes, until it ends with `last`. @throws where the connection closes before */
async function readUntil(socket: Socket, last: string): Promise<string> {
  let heard = ''
  const hear = (bytes: Buffer): void => {
    heard += bytes.toString('latin1')
  }
  socket.on('data', hear)
  await until(`an answer that ends with ${JSON.stringify(last)}`, () => heard.endsWith(last) || socket.closed)
  socket.off('data', hear)
  if (!heard.endsWith(last)) throw new Error(`the connection closed after ${JSON.stringify(heard)}`)
  return heard
}

/** RFC 6455 section 5.2: text in one frame, masked by nothing, as short as this one. */
const frame = (text: string): Buffer =>
  Buffer.from(`\x81${String.fromCharCode(0x80 + text.length)}\0\0\0\0${text}`, 'latin1')

describe.each(['uwsgi', 'HTTP'] as const)('--request-timeout, over %s', (name) => {
  test('ends requests, and no WebSocket that is older than they', async () => {
    const way = WAYS[name]
    const socket = way.connect()
    // A connection that is reset fails the test where it is read from.
    socket.on('error', () => undefined)
    socket.write(way.handshake)
    expect(await readUntil(socket, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 101 /)
    expect(await way.hang()).toBe(504)
    socket.write(frame('still here'))
    expect(await readUntil(socket, 'still here')).toBe('\x81\x0astill here')
    socket.destroy()
  })
})
