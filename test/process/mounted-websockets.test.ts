/** A worker that drains says good-bye also where the WebSockets belong to an application inside of another. */

import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { freePort } from '../support/ports.ts'
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
