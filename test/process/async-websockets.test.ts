/** What an async application may not do to a WebSocket, and how its end is told. Frames and handshakes as clients see them. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { encodeAsk } from '../support/ask-over.ts'
import { httpRequest } from '../support/http-client.ts'
import { freePort } from '../support/ports.ts'
import { onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

let tsgi: Tsgi
const ports = { uwsgi: 0, HTTP: 0 }

beforeAll(async () => {
  for (const name of ['uwsgi', 'HTTP'] as const) ports[name] = await freePort()
  const listeners = ['--uwsgi', `127.0.0.1:${ports.uwsgi}`, '--http', `127.0.0.1:${ports.HTTP}`]
  const app = join(import.meta.dirname, 'apps', 'async-websockets.ts')
  tsgi = await startTsgi({ app, args: [...listeners, '--workers', '1'] })
})
afterAll(() => tsgi.stop())

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const HANDSHAKES = {
  uwsgi: (path: string) =>
    encodeAsk({
      protocol: 'uwsgi',
      path,
      params: {
        HTTP_CONNECTION: 'Upgrade',
        HTTP_UPGRADE: 'websocket',
        HTTP_SEC_WEBSOCKET_VERSION: '13',
        HTTP_SEC_WEBSOCKET_KEY: KEY,
        HTTP_SEC_WEBSOCKET_PROTOCOL: 'chat',
      },
    }),
  HTTP: (path: string) =>
    Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
    ),
}

type Way = keyof typeof HANDSHAKES

/** @returns the connection, and the bytes that came once they are all that is waited for */
function open(way: Way, path: string): [Socket, (last: string) => Promise<string>] {
  const socket = connect(ports[way], '127.0.0.1')
  let heard = ''
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1')
  })
  socket.on('error', () => undefined)
  socket.write(HANDSHAKES[way](path))
  return [socket, (last) => until(JSON.stringify(last), () => heard.includes(last) && heard)]
}

const webSocket = (path: string): WebSocket => new WebSocket(`ws://127.0.0.1:${ports.HTTP}${path}`)

describe.each(['uwsgi', 'HTTP'] as const)('over %s', (way) => {
  test.each([
    '/injected',
    '/injected-beyond-latin1',
    '/bad-name',
    '/content-length',
    '/second-key',
    '/no-list',
    '/injected-subprotocol',
    '/not-offered',
  ])('what does not belong into a 101 is not sent: %s is a 500', async (path) => {
    const [socket, heard] = open(way, path)
    const response = await heard('\r\n\r\n')
    expect(response.split('\r\n')[0]).toMatch(/ 500 /)
    expect(response).not.toMatch(/Set-Cookie|evil/)
    socket.destroy()
  })

  test('an application whose acceptance was refused may still refuse the client', async () => {
    const [socket, heard] = open(way, '/refuses-after-all')
    expect(await heard('\r\n\r\n')).toMatch(/ 403 /)
    socket.destroy()
  })

  test('a header value is bytes, and text after it UTF-8', async () => {
    const [socket, heard] = open(way, '/latin1')
    const head = await heard('\x81\x05caf\xc3\xa9')
    expect(head).toContain('\r\nx-name: caf\xe9\r\n')
    expect(head).toContain('\r\nSec-WebSocket-Protocol: chat\r\n')
    expect(head).not.toContain('keep-alive')
    socket.destroy()
  })

  test.each([
    ['/half-refused', 500],
    ['/wrongly-refused', 403],
  ])('an application that returns before its refusal is whole leaves nobody waiting: %s', async (path, status) => {
    const [socket, heard] = open(way, path)
    expect(await heard('\r\n\r\n')).toContain(` ${status} `)
    socket.destroy()
  })

  test('a refusal that cannot be sent can be followed by one that can', async () => {
    const [socket, heard] = open(way, '/refused-at-the-second-try')
    expect(await heard('who are you')).toMatch(/ 401 /)
    socket.destroy()
  })

  test.each([
    ['/not-awaited', '\x88\x02\x03\xe8'],
    ['/not-awaited-and-wrong', '\x88\x02\x03\xf3'],
  ])('one that has gone before the socket is open leaves none open: %s', async (path, closing) => {
    const worker = await onlyWorker(tsgi)
    const [socket, heard] = open(way, path)
    expect(await heard(closing)).toMatch(/^HTTP\/1\.1 101 /)
    socket.destroy()
    expect(await onlyWorker(tsgi)).toBe(worker)
  })
})

test('the application hears the code with which its client closed', async () => {
  const socket = webSocket('/client-closes')
  await once(socket, 'open')
  socket.close(4002, 'enough')
  await tsgi.waitForLog(/disconnected: \/client-closes 4002 enough/)
})

test('the application hears its own code where its client answers it', async () => {
  const socket = webSocket('/closes')
  expect((await once(socket, 'close'))[0]).toBe(4001)
  await tsgi.waitForLog(/disconnected: \/closes 4001 bye/)
})

test('a client that left without a word has left with 1006', async () => {
  const socket = webSocket('/leaves')
  await once(socket, 'open')
  socket.terminate()
  await tsgi.waitForLog(/disconnected: \/leaves 1006/)
})

test('a message that nobody waits for, to a client that has left, is not the end of the worker', async () => {
  const worker = await onlyWorker(tsgi)
  const socket = webSocket('/unheard')
  await once(socket, 'open')
  socket.terminate()
  await tsgi.waitForLog(/disconnected: \/unheard 1006/)
  const client = connect(ports.HTTP, '127.0.0.1')
  client.write('GET /streams HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(client, 'data')
  client.resetAndDestroy()
  await tsgi.waitForLog(/a response goes on unheard/)
  expect((await httpRequest({ port: ports.HTTP }, { path: '/' })).text).toBe('served')
  expect(await onlyWorker(tsgi)).toBe(worker)
})

test('what is neither text nor bytes is not sent', async () => {
  const socket = webSocket('/wrong-frames')
  const heard: string[] = []
  socket.on('message', (data) => heard.push(String(data)))
  await once(socket, 'close')
  expect(heard).toEqual([
    'the bytes of a websocket.send must be a Uint8Array, not undefined',
    'the text of a websocket.send must be a string, not undefined',
    'the text of a websocket.send must be a string, not 5',
    'the text of a websocket.send must be a string, not null',
    'the bytes of a websocket.send must be a Uint8Array, not undefined',
    expect.stringMatching(/^the bytes of a websocket.send must be a Uint8Array, not /),
    expect.stringMatching(/^the bytes of a websocket.send must be a Uint8Array, not /),
  ])
})

test('a lifespan that dies while requests are served is in the log, and they go on', async () => {
  await httpRequest({ port: ports.HTTP }, { path: '/break-lifespan' })
  await tsgi.waitForLog(/a job of the lifespan died.*the lifespan of the application ended with an error/)
  expect((await httpRequest({ port: ports.HTTP }, { path: '/' })).text).toBe('served')
})
