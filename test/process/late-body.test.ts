/** Applications that answer first and then read what they were sent: 202, and the work afterwards. */

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
  response.writeHead(202).end('accepted')
}).listen(3000)`

describe.each(['uwsgi', 'scgi', 'fastcgi'] as const)('over %s, what comes of a body after the response', (protocol) => {
  const answered = async () => {
    const cwd = tempDir('tsgi-late-')
    const path = join(cwd, 'app.sock')
    writeFileSync(join(cwd, 'app.mjs'), code)
    await startTsgi({ app: 'app.mjs', cwd, args: [`--${protocol}`, path, '--workers', '1'] })
    const bytes = encodeAsk({ protocol, path: '/', body: Buffer.alloc(BODY_BYTES, 'x') })
    const socket = connect({ path, allowHalfOpen: true })
    socket.write(bytes.subarray(0, -LATE_BYTES))
    let head = ''
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        head += chunk.toString('latin1')
        if (head.includes('accepted')) resolve()
      })
    })
    const told = () =>
      until('the application is told', async () => {
        const { body } = await askOver(connect(path), { protocol, path: '/told' })
        return body.length > 0 ? String(body) : undefined
      })
    return { socket, rest: bytes.subarray(-LATE_BYTES), told }
  }

  test('is read by the application', async () => {
    const { socket, rest, told } = await answered()
    socket.end(rest)
    expect(await told()).toBe(`whole: ${BODY_BYTES}`)
  })

  test('and is cut off fails the reading', async () => {
    const { socket, told } = await answered()
    socket.destroy()
    expect(await told()).toBe('TSGI_INPUT_TRUNCATED')
  })
})
