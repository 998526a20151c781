/** `--socket`: one address for every protocol, told by the first bytes. */

import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { FastcgiRecordReader } from '../../src/client/fastcgi.ts'
import { askOver, closed, encodeAsk, readResponse } from '../support/ask-over.ts'
import { httpRequest, openHttp } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'

const app = join(import.meta.dirname, 'apps', 'wire.ts')
const PROTOCOLS = ['uwsgi', 'fastcgi', 'scgi'] as const

let tsgi: Tsgi
let port: number
let path: string
beforeAll(async () => {
  port = await freePort()
  path = socketPath()
  tsgi = await startTsgi({ app, args: ['--workers', '1', '--socket', `127.0.0.1:${port}`, '--socket', path] })
})

const places = (): (number | string)[] => [port, path]

const open = (place: number | string) =>
  typeof place === 'number' ? connect(place, '127.0.0.1').setNoDelay(true) : connect(place)

/** What comes back to bytes written one by one, until the server closes. */
async function answerTo(place: number | string, bytes: Uint8Array, oneByOne: boolean): Promise<Buffer> {
  const socket = open(place)
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  const end = closed(socket)
  if (oneByOne) for (const byte of bytes) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve))
  else socket.write(bytes)
  await end
  return Buffer.concat(received)
}

describe('on one address, whole and byte by byte', () => {
  test.each(PROTOCOLS)('%s is served', async (protocol) => {
    const ask = { protocol, path: '/sum', body: Buffer.from('body') }
    for (const place of places()) {
      expect(JSON.parse(String((await askOver(open(place), ask)).body)).bytes).toBe(4)
      const socket = open(place)
      const answer = readResponse(socket, ask)
      for (const byte of encodeAsk(ask)) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve))
      expect(JSON.parse(String((await answer).body)).bytes).toBe(4)
    }
  })

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('HTTP is served: %s', async (method) => {
    const request = `${method} /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody`
    for (const place of places()) {
      for (const oneByOne of [false, true]) {
        const answer = (await answerTo(place, Buffer.from(request), oneByOne)).toString()
        expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*"bytes":4/)
      }
    }
  })

  test('the ping of uwsgi is answered', async () => {
    for (const place of places()) {
      for (const oneByOne of [false, true]) {
        expect((await answerTo(place, Buffer.from([100, 0, 0, 0]), oneByOne)).toString('hex')).toBe('64000001')
      }
    }
  })

  test('FCGI_GET_VALUES is answered, and the connection goes on', async () => {
    const name = 'FCGI_MPXS_CONNS'
    const query = Buffer.concat([
      Buffer.from([1, 9, 0, 0, 0, name.length + 2, 0, 0, name.length, 0]),
      Buffer.from(name),
    ])
    const ask = { protocol: 'fastcgi', path: '/pid' } as const
    const socket = open(path)
    const first = new Promise<Buffer>((resolve) => socket.once('data', resolve))
    socket.write(query)
    const [record] = new FastcgiRecordReader().feed(await first)
    expect(record?.content.toString()).toContain(name)
    expect((await askOver(socket, ask)).status).toBe(200)
  })

  test('HTTP keeps its connection, and may upgrade it', async () => {
    const connection = await openHttp({ port })
    for (let round = 0; round < 3; round += 1) {
      expect((await connection.request({ path: '/pid' })).header('connection')).toBe('keep-alive')
    }
    connection.send('GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    expect((await connection.readResponse()).status).toBe(101)
    connection.send('echoed')
    expect(String(await connection.read(6))).toBe('echoed')
    connection.destroy()
  })
})

describe('what is not spoken there', () => {
  test('TLS gets an alert, and the log says what to change', async () => {
    const fromLine = tsgi.process.lines.length
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
    expect(error.code).toMatch(/ALERT_PROTOCOL_VERSION/)
    await tsgi.waitForLog(/TLS came: nginx uses suwsgi:\/\/ .* without TLS: use uwsgi_pass .* without it/, { fromLine })
  })

  test('a PROXY protocol header and other bytes cost their connection, and the log says why', async () => {
    const pid = await onlyWorker(tsgi)
    const fromLine = tsgi.process.lines.length
    expect(await answerTo(port, Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'), true)).toHaveLength(0)
    await tsgi.waitForLog(/a PROXY protocol header came: .*--proxy-protocol/, { fromLine })
    expect(await answerTo(path, Buffer.from([0xff, 0xfe, 0xfd]), true)).toHaveLength(0)
    await tsgi.waitForLog(/bytes of no protocol known here came/, { fromLine })
    expect(await onlyWorker(tsgi)).toBe(pid)
  })

  test('nothing at all is waited for, and costs nothing', async () => {
    const silent = open(path)
    const left = open(path)
    left.end()
    await closed(left.resume())
    expect((await askOver(open(path), { protocol: 'uwsgi', path: '/pid' })).status).toBe(200)
    silent.destroy()
  })
})

test('connections that say nothing do not count against --max-concurrency', async () => {
  const capped = socketPath()
  const one = await startTsgi({ app, args: ['--workers', '1', '--max-concurrency', '1', '--socket', capped] })
  const silent = [open(capped), open(capped)]
  for (const protocol of PROTOCOLS) {
    expect((await askOver(open(capped), { protocol, path: '/pid' })).status).toBe(200)
  }
  for (const socket of silent) socket.destroy()
  await one.stop()
})

describeWith(['nginx'], 'nginx', () => {
  test('reaches one socket by uwsgi_pass, fastcgi_pass, scgi_pass and proxy_pass at once', async () => {
    const proxy = join(tempDir(), 'proxy.conf')
    writeFileSync(
      proxy,
      `upstream tsgi_http { server unix:${path}; keepalive 8; }
       server {
         listen 80;
         location / { proxy_pass http://tsgi_http; proxy_http_version 1.1; proxy_set_header Connection ""; }
       }`,
    )
    const substitutions = { 'unix:/run/tsgi/app.sock': `unix:${path}` }
    const sites = ['app.conf', 'fastcgi.conf', 'scgi.conf'].map((file) => ({ file, substitutions }))
    const nginx = await startNginx({ sites: [...sites, { file: proxy }] })
    const body = Buffer.alloc(300_000)
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(
        nginx.ports.map((each) => httpRequest({ port: each }, { method: 'POST', path: '/sum', body })),
      )
      expect(answers.map(({ text }) => JSON.parse(text).bytes)).toEqual([300_000, 300_000, 300_000, 300_000])
    }
    await nginx.stop()
  })
})
