/** Applications that answer first and then read what they were sent: 202, and the work afterwards. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
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
  response.writeHead(202).write('accepted')
  setImmediate(() => response.end())
}).listen(3000)`

/** Sends a body but for its last bytes, and has the response. */
async function answered(protocol: 'uwsgi' | 'scgi' | 'fastcgi', target = '/') {
  const cwd = tempDir('tsgi-late-')
  const path = join(cwd, 'app.sock')
  writeFileSync(join(cwd, 'app.mjs'), code)
  await startTsgi({ app: 'app.mjs', cwd, args: [`--${protocol}`, path, '--workers', '1'] })
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
  return { socket, rest: bytes.subarray(-LATE_BYTES), ask, told, ended }
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
  test('ends with the body where the response told its length: a router that closes at the end would reset its client', async () => {
    const { socket, rest, ask, ended } = await answered(protocol, '/length')
    await ask() // an end that was sent with the response would be here by now
    expect(socket.readableEnded).toBe(false)
    socket.write(rest)
    await ended
    expect(socket.readableEnded).toBe(true)
    socket.destroy()
  })

  test('ends after a while where the body does not go on: a server may wait for that before it does anything else', async () => {
    const { socket, ended } = await answered(protocol, '/length')
    await ended
    expect(socket.readableEnded).toBe(true)
    socket.destroy()
  }, 10_000)

  test('ends at once where nothing else tells the end of the response', async () => {
    const { socket, ask } = await answered(protocol)
    await ask()
    expect(socket.readableEnded).toBe(true)
    socket.destroy()
  })
})
