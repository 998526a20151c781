/** A FastCGI peer that asks and asks, and reads no answer: it is not read either, and loses nothing by that. */

import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askOver, encodeAsk } from '../support/ask-over.ts'
import { rssBytes } from '../support/proc.ts'
import { onlyWorker, socketPath, startTsgi } from '../support/tsgi.ts'

const app = join(import.meta.dirname, 'apps', 'wire.ts')
const MIB = 1024 * 1024

/** A management record of an unknown type, which has an answer of 16 bytes. */
const UNKNOWN = Buffer.from([1, 77, 0, 0, 0, 0, 0, 0])
const UNKNOWN_ANSWER_BYTES = 16
/** BEGIN_REQUEST and ABORT_REQUEST of request 1 on a kept connection, answered with an END_REQUEST of 16 bytes. */
const ABORTED = Buffer.from([1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0, 0, 0, 0])

test.each([
  ['management records', UNKNOWN, 500_000],
  ['requests that are given up at once', ABORTED, 200_000],
])('%s are answered when the peer reads, and held for as long in its own memory', async (_name, record, count) => {
  const path = socketPath()
  const tsgi = await startTsgi({ app, args: ['--workers', '1', '--fastcgi', path] })
  const worker = await onlyWorker(tsgi)
  const before = rssBytes(worker)
  const socket = connect(path)
  socket.write(Buffer.alloc(record.length * count, record))
  // Each is a turn or more of the worker's event loop, in which it would read on.
  for (let turn = 0; turn < 200; turn += 1) {
    expect((await askOver(connect(path), { protocol: 'fastcgi', path: '/pid' })).status).toBe(200)
  }
  expect(rssBytes(worker) - before).toBeLessThan(40 * MIB)

  const answers = count * UNKNOWN_ANSWER_BYTES
  let received = 0
  await new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      received += bytes.length
      if (received >= answers) resolve()
    })
  })
  expect(received).toBe(answers)
  socket.removeAllListeners('data')
  const answer = askOver(socket, { protocol: 'fastcgi', path: '/pid' }, [
    encodeAsk({ protocol: 'fastcgi', path: '/pid' }),
  ])
  expect(String((await answer).body)).toBe(String(worker))
  await tsgi.stop()
})
