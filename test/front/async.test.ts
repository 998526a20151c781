/** An async application through real nginx: its life, its requests, its WebSockets. */

import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { httpRequest } from '../support/http-client.ts'
import { type Front, startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'

describeWith(['nginx'], 'an async application', () => {
  let tsgi: Tsgi
  let front: Front
  beforeAll(async () => {
    const sockets = { uwsgi: socketPath(), scgi: socketPath() }
    tsgi = await startTsgi({
      app: join(import.meta.dirname, 'apps', 'async.ts'),
      args: ['--uwsgi', sockets.uwsgi, '--scgi', sockets.scgi, '--workers', '1'],
    })
    const site = (file: string, socket: string) => ({
      file,
      substitutions: { 'unix:/run/tsgi/app.sock': `unix:${socket}` },
    })
    front = await startNginx({ sites: [site('app.conf', sockets.uwsgi), site('scgi.conf', sockets.scgi)] })
  })
  afterAll(async () => {
    await front.stop()
    await tsgi.stop()
  })

  const connect = (path: string, port = front.port) => new WebSocket(`ws://127.0.0.1:${port}${path}`, ['chat', 'other'])

  test('answers HTTP with what lifespan stored', async () => {
    const response = await httpRequest(front, { method: 'POST', path: '/caf%C3%A9', body: Buffer.alloc(200_000) })
    expect(response.text).toBe('started POST /café 200000')
  })

  test.each([0, 1])('echoes text and bytes, over uwsgi and over SCGI (%i)', async (index) => {
    const socket = connect('/', front.ports[index])
    const upgraded = once(socket, 'upgrade')
    await once(socket, 'open')
    expect((await upgraded)[0].headers['x-greeting']).toBe('started')
    expect(socket.protocol).toBe('chat')
    for (const message of ['hällo', Buffer.alloc(400_000, 7)]) {
      const heard = once(socket, 'message')
      socket.send(message)
      const [data, isBinary] = await heard
      if (typeof message === 'string') expect(String(data)).toBe(`${message}!`)
      else expect([isBinary, message.equals(data)]).toEqual([true, true])
    }
    socket.send('close')
    const [code, reason] = await once(socket, 'close')
    expect([code, String(reason)]).toEqual([4002, 'as asked'])
  })

  test('refuses before the handshake, in its own words or with 403', async () => {
    for (const [path, status] of [
      ['/refused', 401],
      ['/forbidden', 403],
    ] as const) {
      const [, response] = await once(connect(path), 'unexpected-response')
      expect(response.statusCode).toBe(status)
    }
  })

  test('an error after the handshake closes with 1011 and is logged', async () => {
    const socket = connect('/throws')
    expect((await once(socket, 'close'))[0]).toBe(1011)
    await tsgi.waitForLog(/broken in the middle/)
  })

  test('a client that goes away is told as a disconnect', async () => {
    const socket = connect('/')
    await once(socket, 'open')
    socket.close(4005)
    await tsgi.waitForLog(/websocket left with 4005/)
  })

  test('a worker that drains says 1001 to its WebSockets, then ends its lifespan', async () => {
    const socket = connect('/')
    await once(socket, 'open')
    tsgi.signal('SIGTERM')
    expect((await once(socket, 'close'))[0]).toBe(1001)
    await tsgi.waitForLog(/lifespan shutdown/)
  })
})
