/** What an application leaves alone of a request that has ended, and what Node makes of that. */

import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askOver, closed, encodeAsk } from '../support/ask-over.ts'
import { freePort } from '../support/ports.ts'
import { onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'

const IGNORED = /"level":"warn".*a rejected promise that nobody handles, of a request that has ended/
let tsgi: Tsgi
let port = 0

beforeAll(async () => {
  port = await freePort()
  const app = join(import.meta.dirname, 'apps', 'unhandled.ts')
  tsgi = await startTsgi({ app, args: ['--uwsgi', `127.0.0.1:${port}`, '--workers', '1'] })
})
afterAll(() => tsgi.stop())

/** Announces a body, and sends nothing of it. */
function beginUpload(path: string): Socket {
  const socket = connect(port, '127.0.0.1')
  const params = { CONTENT_LENGTH: '100000', REQUEST_METHOD: 'POST' }
  socket.write(encodeAsk({ protocol: 'uwsgi', path, params }))
  return socket
}

test('a read that is not waited for, of a body that the answer made superfluous, ends no worker', async () => {
  const worker = await onlyWorker(tsgi)
  const fromLine = tsgi.process.lines.length
  const socket = beginUpload('/read')
  socket.resume()
  await closed(socket)
  await tsgi.waitForLog(IGNORED, { fromLine })
  expect(await onlyWorker(tsgi)).toBe(worker)
})

test('a client that leaves in the middle of its body ends no worker, whatever waits with its signal', async () => {
  const worker = await onlyWorker(tsgi)
  const fromLine = tsgi.process.lines.length
  const socket = beginUpload('/waits')
  await tsgi.waitForLog(/waiting/, { fromLine })
  socket.destroy()
  await tsgi.waitForLog(IGNORED, { fromLine })
  expect(await onlyWorker(tsgi)).toBe(worker)
})

test('any other rejection ends it, as it ends a process of Node', async () => {
  const worker = await onlyWorker(tsgi)
  await Promise.allSettled([askOver(connect(port, '127.0.0.1'), { protocol: 'uwsgi', path: '/other' })])
  await tsgi.waitForLog(/"level":"error".*of nobody.*a rejected promise that nobody handles ends this worker/)
  await expect.poll(() => tsgi.workerPids().filter((pid) => pid !== worker)).toHaveLength(1)
})

test('what ends it is logged, though its message cannot be read', async () => {
  await onlyWorker(tsgi)
  await Promise.allSettled([askOver(connect(port, '127.0.0.1'), { protocol: 'uwsgi', path: '/unreadable' })])
  await tsgi.waitForLog(
    /"level":"error".*whose message cannot be read.*a rejected promise that nobody handles ends this worker/,
  )
})
