/** How much is held of a WebSocket whose application does not receive. */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Environ } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { asyncApp } from '../../src/interfaces/async/types.ts'
import { fromAsync } from '../../src/interfaces/convert.ts'
import { until } from '../support/until.ts'

const MESSAGE_BYTES = 400_000
const MESSAGES = 40

/** RFC 6455 section 5.2: binary, masked with nothing, a length of 64 bits. */
function frame(): Buffer {
  const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(MESSAGE_BYTES, 6)
  return Buffer.concat([head, Buffer.alloc(MESSAGE_BYTES)])
}

test('a client is not read from while the application has not received what is held, by bytes too', async () => {
  const listening = createServer().listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const accepted = once(listening, 'connection')
  const client = connect(address.port, '127.0.0.1')
  const socket: Socket = (await accepted)[0]

  let receiveOn = (): void => undefined
  const held = new Promise<void>((resolve) => {
    receiveOn = resolve
  })
  let received = 0
  const conversation = fromAsync(
    asyncApp({
      websocket: async (_scope, receive, send) => {
        await receive()
        await send({ type: 'websocket.accept' })
        await held
        for (; received < MESSAGES; received += 1) await receive()
      },
    }),
  )
  const upgradable = (environ: Environ): Environ =>
    Object.assign(environ, { 'tsgi.upgrade': async () => ({ socket, head: new Uint8Array(0) }) })
  void requestInMemory((environ, startResponse) => conversation(upgradable(environ), startResponse), {
    headers: [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ],
  })
  await once(client, 'data')
  const frames = Array.from({ length: MESSAGES }, frame)
  client.write(Buffer.concat(frames))
  await until('the client is not read from', () => socket.isPaused())
  // The limit, the message that passed it, and what was read with its end.
  expect(socket.bytesRead).toBeLessThan(2 * 1024 * 1024)
  receiveOn()
  await until('all messages are received', () => received === MESSAGES)
  client.destroy()
  listening.close()
})
