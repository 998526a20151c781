/** What WebSockets, and the applications that have them, hear when their worker drains. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { encodeAsk } from '../support/ask-over.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

test('the WebSockets of mounted applications hear 1001, and no stop waits for them', async () => {
  const port = await freePort()
  const app = join(import.meta.dirname, 'apps', 'mounted-websockets.ts')
  const tsgi = await startTsgi({
    app,
    // Longer than a test may take: who is not told to close keeps the worker for so long.
    args: ['--http', `127.0.0.1:${port}`, '--workers', '1', '--graceful-timeout', '5m'],
  })
  const sockets = ['async', 'node'].map((mount) => new WebSocket(`ws://127.0.0.1:${port}/${mount}`))
  await Promise.all(sockets.map(async (socket) => expect(String((await once(socket, 'message'))[0])).toBe('open')))
  const closed = Promise.all(sockets.map(async (socket) => (await once(socket, 'close'))[0]))
  tsgi.signal('SIGTERM')
  expect(await closed).toEqual([1001, 1001])
  expect(await tsgi.process.exited).toMatchObject({ code: 0 })
})

test('a WebSocket whose handshake is answered while the worker drains hears 1001 too', async () => {
  const port = await freePort()
  const app = join(import.meta.dirname, 'apps', 'mounted-websockets.ts')
  const args = ['--http', `127.0.0.1:${port}`, '--workers', '1', '--graceful-timeout', '5m']
  const tsgi = await startTsgi({ app, args })
  const sockets = ['async', 'node'].map((mount) => new WebSocket(`ws://127.0.0.1:${port}/${mount}/late`))
  const closed = Promise.all(sockets.map(async (socket) => (await once(socket, 'close'))[0]))
  await tsgi.waitForLog(/async is asked/)
  await tsgi.waitForLog(/node is asked/)
  tsgi.signal('SIGTERM')
  expect(await closed).toEqual([1001, 1001])
  expect(await tsgi.process.exited).toMatchObject({ code: 0 })
})

test('what is open when the grace ends is gone for the application before its own end', async () => {
  const cwd = tempDir('tsgi-farewell-')
  const path = join(cwd, 'app.sock')
  const code = `export default async (scope, receive, send) => {
    await receive()
    if (scope.type === 'lifespan') {
      await send({ type: 'lifespan.startup.complete' })
      await receive()
      console.error('app: shutdown')
      await send({ type: 'lifespan.shutdown.complete' })
    } else {
      await send({ type: 'websocket.accept' })
      const { type, code } = await receive()
      console.error('app: ' + type + ' ' + code)
    }
  }`
  writeFileSync(join(cwd, 'app.mjs'), code)
  const tsgi = await startTsgi({
    app: 'app.mjs',
    cwd,
    args: ['--interface', 'async', '--uwsgi', path, '--workers', '1', '--graceful-timeout', '1s'],
  })
  const socket = connect(path)
  const params = {
    HTTP_CONNECTION: 'Upgrade',
    HTTP_UPGRADE: 'websocket',
    HTTP_SEC_WEBSOCKET_VERSION: '13',
    HTTP_SEC_WEBSOCKET_KEY: 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  socket.write(encodeAsk({ protocol: 'uwsgi', path: '/', params }))
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 101 /)
  tsgi.signal('SIGTERM')
  await tsgi.process.exited
  socket.destroy()
  const said = tsgi.process.lines.filter((line) => line.startsWith('app: '))
  expect(said).toEqual(['app: websocket.disconnect 1006', 'app: shutdown'])
})
