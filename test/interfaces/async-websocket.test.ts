/** What is held of a WebSocket whose application does not receive, what is too much of one, and when one is given up. */

import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import type { Application, Environ } from '../../src/application.ts'
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

/** Sends back what it hears: text as it is, of bytes how many there were. */
const echo = asyncApp({
  websocket: async (_scope, receive, send) => {
    await receive()
    await send({ type: 'websocket.accept' })
    for (;;) {
      const message = await receive()
      if (message.type === 'websocket.disconnect') return
      if (message.type !== 'websocket.receive') continue
      const text = 'text' in message ? message.text : `${message.bytes.length} bytes`
      await send({ type: 'websocket.send', text })
    }
  },
})

/** @returns where the application that echoes is to be reached */
async function serveEcho(): Promise<string> {
  const application = fromAsync(echo)
  const server = createHttpServer().on('upgrade', ({ rawHeaders }, socket, head) => {
    const upgraded: Application = async (environ, startResponse) => {
      const handedOver = Object.assign(environ, { 'tsgi.upgrade': async () => ({ socket, head }) })
      const body = await application(handedOver, startResponse)
      // Such a request is over with its connection.
      await once(socket, 'close')
      return body
    }
    const headers = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []))
    void requestInMemory(upgraded, { headers })
  })
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `ws://127.0.0.1:${address.port}`
}

async function openClient(url: string, autoPong = true): Promise<WebSocket> {
  const client = new WebSocket(url, { autoPong })
  onTestFinished(() => client.terminate())
  await once(client, 'open')
  return client
}

async function answerTo(client: WebSocket, message: string | Uint8Array): Promise<string> {
  client.send(message)
  return String((await once(client, 'message'))[0])
}

test('a client that answers no ping is given up with the next one, and one that does is not', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const url = await serveEcho()
  const silent = await openClient(url, false)
  const answering = await openClient(url)
  const pinged = Promise.all([once(silent, 'ping'), once(answering, 'ping')])
  vi.advanceTimersByTime(25_000)
  await pinged
  expect(await answerTo(silent, 'no pong')).toBe('no pong')
  // What is sent after a pong comes after it.
  expect(await answerTo(answering, 'after the pong')).toBe('after the pong')

  const closed = once(silent, 'close')
  const pingedAgain = once(answering, 'ping')
  vi.advanceTimersByTime(25_000)
  expect((await closed)[0]).toBe(1006)
  await pingedAgain
  expect(await answerTo(answering, 'still there')).toBe('still there')
})

test('a message may have 16 MiB; one that has more closes its connection with 1009', async () => {
  const client = await openClient(await serveEcho())
  const most = 16 * 1024 * 1024
  expect(await answerTo(client, Buffer.alloc(most))).toBe(`${most} bytes`)
  client.send(Buffer.alloc(most + 1))
  expect((await once(client, 'close'))[0]).toBe(1009)
})
