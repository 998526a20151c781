/** Extensions refuse a startResponse that is not the server's; the middleware in the box answers for its own. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { freePort } from '../support/ports.ts'
import { startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

let tsgi: Tsgi
let port: number

beforeAll(async () => {
  port = await freePort()
  const app = join(import.meta.dirname, 'apps', 'wrapped-websockets.ts')
  tsgi = await startTsgi({ app, args: ['--http', `127.0.0.1:${port}`, '--workers', '1'] })
})
afterAll(() => tsgi.stop())

/** All that comes up to `last`, of a request with these header lines. */
async function ask(path: string, last: string, headers: readonly string[] = []): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1')
  })
  socket.write([`GET ${path} HTTP/1.1`, 'Host: a', ...headers, '\r\n'].join('\r\n'))
  await until(`${JSON.stringify(last)} from ${path}`, () => heard.includes(last))
  socket.destroy()
  return heard
}

describe.each(['id', 'head', 'time', 'validate', 'nested'])('behind %s', (name) => {
  test.each(['node', 'async'])('a WebSocket opens, and stays open: %s', async (kind) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${name}/${kind}`)
    expect(String((await once(socket, 'message'))[0])).toBe('open')
    const pong = once(socket, 'pong')
    socket.ping()
    await pong
    socket.close()
    await once(socket, 'close')
  })

  test.each(['node', 'async'])('early hints are sent: %s', async (kind) => {
    const fromLine = tsgi.process.lines.length
    const heard = await ask(`/${name}/${kind}`, 'whole')
    expect(heard).toMatch(/^HTTP\/1\.1 103 Early Hints\r\n.*style\.css.*HTTP\/1\.1 200 /is)
    expect(tsgi.process.lines.slice(fromLine).join('\n')).not.toMatch(/"level":"error"/)
  })
})

test('a time limit for responses is none for a connection that was taken over', async () => {
  const heard = await ask('/lasting', 'aborted', ['Connection: Upgrade', 'Upgrade: bytes'])
  expect(heard).toMatch(/^HTTP\/1\.1 101 .*aborted false/s)
})

test.each(['node', 'async'])(
  'behind a middleware that is not in the box an upgrade is a 500, and no silence: %s',
  async (kind) => {
    const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    const heard = await ask(`/foreign/${kind}`, '\r\n\r\n', [
      ...handshake,
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ])
    expect(heard).toMatch(/^HTTP\/1\.1 500 /)
  },
)
