/** What connects over TCP while tsgi stops: a front server cannot send a POST again that somebody may have had. */

import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { freePort } from '../support/ports.ts'
import { startTsgi } from '../support/tsgi.ts'

const HELLO = join(import.meta.dirname, '..', '..', 'examples', 'hello', 'app.ts')
/** A connection each; a worker that stops listening when it is told to has done so long before the last. */
const CONNECTIONS = 30
const BETWEEN_MS = 10

test.each([
  ['cannot close it now', 'SIGCONT'],
  ['never will, and dies', 'SIGKILL'],
] as const)('is served for as long as anybody has the socket open, be it a worker that %s', async (_what, signal) => {
  const [port, other] = [await freePort(), await freePort()]
  // Two sockets: Node sends the second to a worker when it has confirmed the first.
  const listeners = ['--uwsgi', `127.0.0.1:${port}`, '--uwsgi', `127.0.0.1:${other}`]
  const args = [...listeners, '--workers', '2', '--graceful-timeout', '600']
  const tsgi = await startTsgi({ app: HELLO, args })
  const [, stands = 0] = tsgi.workerPids()
  process.kill(stands, 'SIGSTOP')
  tsgi.signal('SIGTERM')
  await tsgi.waitForLog(/worker 2 .* drains/)
  for (let connection = 0; connection < CONNECTIONS; connection++) {
    expect((await askOver(connect(port, '127.0.0.1'), { protocol: 'uwsgi', path: '/' })).status).toBe(200)
    await sleep(BETWEEN_MS)
  }
  process.kill(stands, signal)
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
})
