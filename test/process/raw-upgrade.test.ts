/** A connection that an application took over by `tsgi.upgrade`, without a library that knows how to treat one. */

import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { closed, encodeAsk } from '../support/ask-over.ts'
import { freePort } from '../support/ports.ts'
import { onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

let tsgi: Tsgi
const ports = { uwsgi: 0, HTTP: 0 }

beforeAll(async () => {
  for (const name of ['uwsgi', 'HTTP'] as const) ports[name] = await freePort()
  const listeners = ['--uwsgi', `127.0.0.1:${ports.uwsgi}`, '--http', `127.0.0.1:${ports.HTTP}`]
  const app = join(import.meta.dirname, 'apps', 'raw-upgrade.ts')
  // The applications here never end what they took over.
  tsgi = await startTsgi({ app, args: [...listeners, '--workers', '1', '--graceful-timeout', '1'] })
})
afterAll(() => tsgi.stop())

const HANDSHAKES = {
  uwsgi: (path: string) =>
    encodeAsk({ protocol: 'uwsgi', path, params: { HTTP_CONNECTION: 'Upgrade', HTTP_UPGRADE: 'bytes' } }),
  HTTP: (path: string) =>
    Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n`),
}

type Way = keyof typeof HANDSHAKES

/** @returns the connection, and whether the application has said something yet */
function open(way: Way, path: string, early = 0): [Socket, (text: string) => Promise<boolean>] {
  const socket = connect(ports[way], '127.0.0.1')
  let heard = ''
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1')
  })
  // One that is reset fails the test where it waits for what does not come.
  socket.on('error', () => undefined)
  socket.write(Buffer.concat([HANDSHAKES[way](path), Buffer.alloc(early)]))
  return [socket, (text) => until(text, () => heard.includes(text))]
}

// Front servers send nothing behind such a request before they have the answer.
test('all that an HTTP client sends before it is answered reaches the application', async () => {
  const [socket, says] = open('HTTP', '/late', 300_000)
  await says('HTTP/1.1 101 ')
  await says('300000 bytes')
  socket.destroy()
})

test.each(['uwsgi', 'HTTP'] as const)(
  'over %s, what is written past a connection taken over is refused',
  async (way) => {
    const [socket, says] = open(way, '/written')
    await says('0 bytes')
    await says('TSGI_APP_ENDED')
    socket.destroy()
  },
)

test.each(['uwsgi', 'HTTP'] as const)(
  'over %s, an application that ends its connection has not lost it',
  async (way) => {
    const fromLine = tsgi.process.lines.length
    const [socket, says] = open(way, '/ended')
    await says('0 bytes')
    await closed(socket)
    await tsgi.waitForLog(/over: aborted false, signal false/, { fromLine })
  },
)

test.each(['uwsgi', 'HTTP'] as const)(
  'over %s, a client that resets its connection ends that one, and no worker',
  async (way) => {
    const worker = await onlyWorker(tsgi)
    const [socket, says] = open(way, '/')
    await says('0 bytes')
    socket.resetAndDestroy()
    await closed(socket)
    const [next, nextSays] = open(way, '/')
    await nextSays('0 bytes')
    next.destroy()
    expect(await onlyWorker(tsgi)).toBe(worker)
  },
)
