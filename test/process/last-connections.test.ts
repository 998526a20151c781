/** What connects over TCP while tsgi stops, and what is open then, where one of the workers hangs. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { askOver } from '../support/ask-over.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

const HELLO = join(import.meta.dirname, '..', '..', 'examples', 'hello', 'app.ts')
/** One after the other: a worker that stops listening when it is told to has done so long before the last. */
const CONNECTIONS = 200

/** A front server cannot send a POST again that somebody may have had. */
test.each([
  { sockets: 1, what: 'cannot close it now', signal: 'SIGCONT' },
  { sockets: 1, what: 'never will, and dies', signal: 'SIGKILL' },
  // Node sends the second to a worker when it has confirmed the first.
  { sockets: 2, what: 'cannot close it now', signal: 'SIGCONT' },
  { sockets: 2, what: 'never will, and dies', signal: 'SIGKILL' },
] as const)(
  'of $sockets, the first is served for as long as a worker has it open that $what',
  async ({ sockets, signal }) => {
    const ports = await Promise.all(Array.from({ length: sockets }, freePort))
    const [port = 0] = ports
    const listeners = ports.flatMap((each) => ['--uwsgi', `127.0.0.1:${each}`])
    const args = [...listeners, '--workers', '2', '--graceful-timeout', '600']
    const tsgi = await startTsgi({ app: HELLO, args })
    const [, stands = 0] = tsgi.workerPids()
    process.kill(stands, 'SIGSTOP')
    tsgi.signal('SIGTERM')
    await tsgi.waitForLog(/worker 2 .* drains/)
    for (let connection = 0; connection < CONNECTIONS; connection++) {
      expect((await askOver(connect(port, '127.0.0.1'), { protocol: 'uwsgi', path: '/' })).status).toBe(200)
    }
    process.kill(stands, signal)
    expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
  },
)

test('a WebSocket hears 1001 at once, whatever another worker does', async () => {
  const [http, other] = [await freePort(), await freePort()]
  const cwd = tempDir('tsgi-last-')
  const code = `export default async (scope, receive, send) => {
    await receive()
    if (scope.type !== 'websocket') return send({ type: 'lifespan.startup.complete' })
    await send({ type: 'websocket.accept' })
    await send({ type: 'websocket.send', text: String(process.pid) })
    await receive()
  }`
  writeFileSync(join(cwd, 'app.mjs'), code)
  const listeners = ['--http', `127.0.0.1:${http}`, '--uwsgi', `127.0.0.1:${other}`]
  const args = ['--interface', 'async', ...listeners, '--workers', '2', '--graceful-timeout', '600']
  const tsgi = await startTsgi({ app: 'app.mjs', cwd, args })
  const socket = new WebSocket(`ws://127.0.0.1:${http}/`)
  const [serves] = await once(socket, 'message')
  const hangs = tsgi.workerPids().find((pid) => pid !== Number(serves)) ?? 0
  process.kill(hangs, 'SIGSTOP')
  const closed = once(socket, 'close')
  tsgi.signal('SIGTERM')
  expect((await closed)[0]).toBe(1001)
  process.kill(hangs, 'SIGKILL')
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
})
