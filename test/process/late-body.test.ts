/** Applications that answer first and then read what they were sent, 202 and the work afterwards; and how such connections end. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { askOver, encodeAsk } from '../support/ask-over.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const BODY_BYTES = 300_000
/** Far more than is held for an application that does not read. */
const LATE_BYTES = 200_000

const code = `
import http from 'node:http'
let told = ''
http.createServer((request, response) => {
  if (request.url === '/told') return response.end(told)
  let bytes = 0
  request.on('data', (chunk) => { bytes += chunk.length })
  request.on('end', () => { told = 'whole: ' + bytes })
  request.on('error', (error) => { told = error.code })
  if (request.url === '/length') return response.end('accepted')
  if (request.url === '/204') return response.writeHead(204, { 'X-Is': 'accepted' }).end()
  const size = /^.bytes.(\\d+)$/.exec(request.url)?.[1]
  if (size !== undefined) return response.end(Buffer.alloc(Number(size)))
  response.writeHead(202).write('accepted')
  setImmediate(() => response.end())
}).listen(3000)`

type Protocol = 'uwsgi' | 'scgi' | 'fastcgi'

async function serve(protocol: Protocol, ...args: string[]) {
  const cwd = tempDir('tsgi-late-')
  const path = join(cwd, 'app.sock')
  writeFileSync(join(cwd, 'app.mjs'), code)
  const tsgi = await startTsgi({ app: 'app.mjs', cwd, args: [`--${protocol}`, path, '--workers', '1', ...args] })
  return { tsgi, path }
}

/** Sends a body but for its last bytes, and has the response, which says `accepted`. */
async function answered(protocol: Protocol, target = '/', ...args: string[]) {
  const { tsgi, path } = await serve(protocol, ...args)
  const bytes = encodeAsk({ protocol, path: target, body: Buffer.alloc(BODY_BYTES, 'x') })
  const socket = connect({ path, allowHalfOpen: true })
  const ended = once(socket, 'end')
  socket.write(bytes.subarray(0, -LATE_BYTES))
  let head = ''
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1')
      if (head.includes('accepted')) resolve()
    })
  })
  const ask = async () => String((await askOver(connect(path), { protocol, path: '/told' })).body)
  const told = () => until('the application is told', async () => (await ask()) || undefined)
  return { tsgi, socket, rest: bytes.subarray(-LATE_BYTES), ask, told, ended }
}

describe.each(['uwsgi', 'scgi', 'fastcgi'] as const)('over %s, what comes of a body after the response', (protocol) => {
  test('is read by the application', async () => {
    const { socket, rest, told } = await answered(protocol)
    socket.end(rest)
    expect(await told()).toBe(`whole: ${BODY_BYTES}`)
  })

  test('and is cut off fails the reading', async () => {
    const { socket, told } = await answered(protocol)
    socket.destroy()
    expect(await told()).toBe('TSGI_INPUT_TRUNCATED')
  })
})

describe.each(['uwsgi', 'scgi'] as const)('over %s, behind an early response, the connection', (protocol) => {
  test.each([
    ['told its length', '/length'],
    ['is a 204', '/204'],
  ])(
    'ends with the body where the response %s: a router that closes at the end would reset its client',
    async (_what, target) => {
      const { socket, rest, ask, ended } = await answered(protocol, target)
      await ask() // an end that was sent with the response would be here by now
      expect(socket.readableEnded).toBe(false)
      socket.write(rest)
      await ended
      expect(socket.readableEnded).toBe(true)
      socket.destroy()
    },
  )

  test('ends after a while where the body does not go on: a server may wait for that before it does anything else', async () => {
    const { socket, ended } = await answered(protocol, '/length')
    await ended
    expect(socket.readableEnded).toBe(true)
    socket.destroy()
  }, 10_000)

  test('takes no place under --max-concurrency', async () => {
    const { socket, ask } = await answered(protocol, '/length', '--max-concurrency', '1')
    expect(await ask()).toBe('')
    expect(socket.closed).toBe(false)
    socket.destroy()
  }, 10_000)

  test('does not hold up a stop, however slowly the body goes on', async () => {
    const { tsgi, socket, rest } = await answered(protocol, '/length')
    let sent = 0
    const drip = setInterval(() => socket.write(rest.subarray(sent, ++sent)), 100)
    socket.once('end', () => {
      clearInterval(drip)
      socket.destroy()
    })
    const { code } = await tsgi.stop()
    expect(code).toBe(0)
  }, 20_000)

  test('ends at once where nothing else tells the end of the response', async () => {
    const { socket, ask } = await answered(protocol)
    // Twice: the end of the first answer may be read in the same turn as this one, and after it.
    await ask()
    await ask()
    expect(socket.readableEnded).toBe(true)
    socket.destroy()
  })
})

test('with --half-close ignore a client that has ended its side and reads late gets what still waited to go out', async () => {
  const { path } = await serve('uwsgi', '--half-close', 'ignore')
  // Of some of these the kernel takes all but a little.
  const sizes = Array.from({ length: 40 }, (_, index) => 140_000 + index * 6_000)
  const sockets = sizes.map((size) => {
    const socket = connect({ path, allowHalfOpen: true }).pause()
    socket.end(encodeAsk({ protocol: 'uwsgi', path: `/bytes/${size}` }))
    return socket
  })
  // Answered after them, and after their ends.
  for (const _ of [1, 2, 3]) await askOver(connect(path), { protocol: 'uwsgi', path: '/told' })
  const responses = await Promise.all(sockets.map((socket) => buffer(socket)))
  expect(responses.map((bytes) => bytes.length - bytes.indexOf('\r\n\r\n') - 4)).toEqual(sizes)
})
