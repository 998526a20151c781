/** PROXY protocol headers (haproxy.org, proxy-protocol.txt) in front of whatever is spoken. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { accepts } from '../support/accepts.ts'
import { askOver, closed, encodeAsk, readResponse } from '../support/ask-over.ts'
import { makeAuthority } from '../support/certificates.ts'
import { httpRequest, openHttp } from '../support/http-client.ts'
import { commandPath, describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const app = join(import.meta.dirname, 'apps', 'wire.ts')

const V1 = Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n')
/** Section 2.2: TCP over IPv6, 2001:db8::7 port 4242. */
const V2 = Buffer.from(
  '0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000720010db8000000000000000000000001109201bb',
  'hex',
)
const V2_LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')

const GET = 'GET /environ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

let tsgi: Tsgi
let http: number
let uwsgi: number
let fastcgi: number
let any: number
beforeAll(async () => {
  ;[http, uwsgi, fastcgi, any] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const ports = { '--http': http, '--uwsgi': uwsgi, '--fastcgi': fastcgi, '--socket': any }
  const listeners = Object.entries(ports).flatMap(([flag, port]) => [flag, `127.0.0.1:${port}`])
  tsgi = await startTsgi({ app, args: ['--workers', '1', '--proxy-protocol', '--read-timeout', '2', ...listeners] })
})

async function environAfter(port: number, pieces: Iterable<Uint8Array>): Promise<Record<string, string>> {
  const connection = await openHttp({ port })
  connection.socket.setNoDelay(true)
  for (const piece of pieces) await new Promise((resolve) => connection.socket.write(piece, resolve))
  const { text } = await connection.readResponse()
  connection.destroy()
  return JSON.parse(text)
}

function* bytesOf(buffer: Buffer): Generator<Uint8Array> {
  for (const byte of buffer) yield Buffer.of(byte)
}

test('a header and nothing else, with which balancers look whether somebody is there, is no mistake to log', async () => {
  for (const port of [http, uwsgi, fastcgi, any]) {
    for (const header of [V1, V2_LOCAL]) {
      const socket = connect(port, '127.0.0.1').resume()
      socket.end(header)
      await closed(socket)
    }
  }
  expect(await environAfter(http, [V1, Buffer.from(GET)])).toMatchObject({ REMOTE_ADDR: '192.0.2.7' })
  expect(tsgi.records().filter(({ level }) => level === 'warn')).toEqual([])
})

describe('the client that a header names', () => {
  const from7 = { REMOTE_ADDR: '192.0.2.7', REMOTE_PORT: '56324' }

  test.each([
    ['version 1', V1, from7],
    ['version 2', V2, { REMOTE_ADDR: '2001:db8::7', REMOTE_PORT: '4242' }],
  ])('is REMOTE_ADDR over HTTP, whole or byte by byte: %s', async (_name, header, expected) => {
    const bytes = Buffer.concat([header, Buffer.from(GET)])
    for (const port of [http, any]) {
      expect(await environAfter(port, [bytes])).toMatchObject(expected)
      expect(await environAfter(port, bytesOf(bytes))).toMatchObject(expected)
    }
  })

  test('stays the client of every request on the connection', async () => {
    const connection = await openHttp({ port: http })
    connection.send(V1)
    for (let round = 0; round < 3; round += 1) {
      expect(JSON.parse((await connection.request({ path: '/environ' })).text)).toMatchObject(from7)
    }
    connection.destroy()
  })

  test('is who connected where the header names nobody', async () => {
    for (const header of [V2_LOCAL, Buffer.from('PROXY UNKNOWN\r\n')]) {
      expect(await environAfter(http, [header, Buffer.from(GET)])).toMatchObject({ REMOTE_ADDR: '127.0.0.1' })
    }
  })

  test('is not what a client says with a second header, nor what the front server’s variables say', async () => {
    const twice = Buffer.concat([V1, Buffer.from('PROXY TCP4 192.0.2.66 192.0.2.1 1 2\r\n'), Buffer.from(GET)])
    const connection = await openHttp({ port: http })
    connection.send(twice)
    await connection.closed()
    expect(connection.unread().toString()).not.toContain('192.0.2.66')
    connection.destroy()
    const ask = { protocol: 'uwsgi', path: '/environ', params: { REMOTE_ADDR: '198.51.100.1' } } as const
    const answer = await askOver(connect(uwsgi, '127.0.0.1'), ask, [V1, encodeAsk(ask)])
    expect(JSON.parse(String(answer.body))).toMatchObject({ REMOTE_ADDR: '198.51.100.1' })
  })
})

test.each(['uwsgi', 'fastcgi', 'scgi'] as const)('%s follows a header, whole or byte by byte', async (protocol) => {
  const ask = { protocol, path: '/sum', body: Buffer.from('body') }
  for (const port of protocol === 'uwsgi' ? [uwsgi, any] : [any]) {
    for (const header of [V1, V2]) {
      const bytes = Buffer.concat([header, encodeAsk(ask)])
      for (const pieces of [[bytes], bytesOf(bytes)]) {
        const socket = connect(port, '127.0.0.1').setNoDelay(true)
        const answer = readResponse(socket, ask)
        for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve))
        expect(JSON.parse(String((await answer).body)).bytes).toBe(4)
      }
    }
  }
})

test('a header in two pieces stays what it is while another connection is read in between', async () => {
  const ask = { protocol: 'fastcgi', path: '/pid' } as const
  const slow = connect(fastcgi, '127.0.0.1').setNoDelay(true)
  const answer = readResponse(slow, ask)
  await new Promise((resolve) => slow.write(V1.subarray(0, 20), resolve))
  const other = [V2_LOCAL, encodeAsk(ask)]
  expect((await askOver(connect(fastcgi, '127.0.0.1'), ask, other)).status).toBe(200)
  slow.write(Buffer.concat([V1.subarray(20), encodeAsk(ask)]))
  expect((await answer).status).toBe(200)
})

test.each([
  ['no header', GET],
  ['garbage', 'PROXY TCP4 nonsense\r\n'],
  ['an endless line', `PROXY TCP4 ${'1'.repeat(200)}`],
  ['a version that there is not', Buffer.from('0d0a0d0a000d0a515549540a31110000', 'hex')],
])('%s costs that connection, and has its line in the log', async (_name, bytes) => {
  const pid = await onlyWorker(tsgi)
  for (const port of [http, uwsgi, any]) {
    const fromLine = tsgi.process.lines.length
    const socket = connect(port, '127.0.0.1')
    let received = 0
    socket.on('data', (chunk) => {
      received += chunk.length
    })
    socket.end(bytes)
    await closed(socket)
    expect(received).toBe(0)
    await until('it is in the log, now or ten seconds ago', () =>
      tsgi
        .records()
        .some((record) => /PROXY protocol/.test(String(record['msg'])) && record['listener'] === `127.0.0.1:${port}`),
    )
    expect(tsgi.process.lines.slice(fromLine).length).toBeLessThan(5)
  }
  expect(await environAfter(http, [V1, Buffer.from(GET)])).toMatchObject({ REMOTE_ADDR: '192.0.2.7' })
  expect(await onlyWorker(tsgi)).toBe(pid)
})

test('a header that does not come to its end is given up', async () => {
  const begun = [http, uwsgi, any].map((port) => {
    const socket = connect(port, '127.0.0.1')
    socket.write('PROXY TCP4 192.0.2.7')
    return closed(socket.resume())
  })
  await Promise.all(begun)
})

describe('--allow-from', () => {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address

  test.skipIf(own === undefined)('says who may connect, header or not; the log names who was turned away', async () => {
    const address = own ?? ''
    const [strict, open] = [await freePort(), await freePort()]
    const refusing = await startTsgi({ app, args: ['--workers', '1', '--http', `:${strict}`, '--proxy-protocol'] })
    const asking = async (port: number): Promise<string> => {
      const socket = connect(port, address)
      let text = ''
      socket.on('data', (chunk) => {
        text += String(chunk)
      })
      socket.write(Buffer.concat([Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n'), Buffer.from(GET)]))
      await closed(socket)
      return text
    }
    expect(await asking(strict)).toBe('')
    await refusing.waitForLog(new RegExp(`${address} may not connect to .*--allow-from`))
    expect(await environAfter(strict, [V1, Buffer.from(GET)])).toMatchObject({ REMOTE_ADDR: '192.0.2.7' })
    await refusing.stop()
    const args = ['--workers', '1', '--http', `:${open}`, '--proxy-protocol', '--allow-from', `${address}/32`]
    const allowing = await startTsgi({ app, args })
    expect(await asking(open)).toMatch(/^HTTP\/1\.1 200 /)
    await allowing.stop()
  })
})

describeWith(['haproxy', 'openssl'], 'HAProxy in TCP mode', () => {
  interface Balancer {
    readonly port: number
    readonly stop: () => Promise<unknown>
  }

  async function startBalancer(server: string): Promise<Balancer> {
    const directory = tempDir('tsgi-haproxy-')
    const port = await freePort()
    const file = join(directory, 'haproxy.cfg')
    const timeouts = ['connect', 'client', 'server'].map((name) => `  timeout ${name} 60s`)
    const frontend = [`listen www`, `  bind 127.0.0.1:${port}`, `  server tsgi ${server}`]
    writeFileSync(file, ['defaults', '  mode tcp', ...timeouts, ...frontend, ''].join('\n'))
    const process = startServer({
      name: 'haproxy',
      command: commandPath('haproxy'),
      args: ['-db', '-f', file],
      stopSignal: 'SIGTERM',
    })
    await until('haproxy accepts', async () => {
      if (!process.isRunning()) throw new Error(process.lines.join('\n'))
      return accepts(port)
    })
    return { port, stop: process.stop }
  }

  /** What the application sees, and the port that the client really had. */
  async function asked(port: number, tls = false): Promise<{ environ: Record<string, string>; clientPort: string }> {
    const connection = await openHttp({ port, tls })
    const clientPort = String(connection.socket.localPort)
    const { text } = await connection.request({ path: '/environ' })
    connection.destroy()
    return { environ: JSON.parse(text), clientPort }
  }

  test.each(['send-proxy', 'send-proxy-v2'])('with %s: the client is the client', async (directive) => {
    const balancer = await startBalancer(`127.0.0.1:${http} ${directive}`)
    const { environ, clientPort } = await asked(balancer.port)
    expect(environ).toMatchObject({ REMOTE_ADDR: '127.0.0.1', REMOTE_PORT: clientPort })
    const upload = await httpRequest(balancer, { method: 'POST', path: '/sum', body: Buffer.alloc(1_000_000) })
    expect(JSON.parse(upload.text).bytes).toBe(1_000_000)
    await balancer.stop()
  })

  test('the header comes before TLS, whoever speaks that: the balancer or the client through it', async () => {
    const { certificate, key } = makeAuthority().sign('tsgi.internal')
    const [port, gateway] = [await freePort(), await freePort()]
    const tls = ['--tls-cert', certificate, '--tls-key', key]
    const listeners = ['--http', `127.0.0.1:${port}`, '--uwsgi', `127.0.0.1:${gateway}`]
    const secure = await startTsgi({ app, args: ['--workers', '1', ...listeners, '--proxy-protocol', ...tls] })
    for (const directive of ['send-proxy', 'send-proxy-v2']) {
      const speaks = await startBalancer(`127.0.0.1:${port} ssl verify none ${directive}`)
      const spoken = await asked(speaks.port)
      expect(spoken.environ).toMatchObject({ REMOTE_PORT: spoken.clientPort, HTTPS: 'on' })
      await speaks.stop()
      const passes = await startBalancer(`127.0.0.1:${port} ${directive}`)
      const passed = await asked(passes.port, true)
      expect(passed.environ).toMatchObject({ REMOTE_PORT: passed.clientPort, HTTPS: 'on' })
      await passes.stop()
    }

    const tcp = connect(gateway, '127.0.0.1').setNoDelay(true)
    for (const byte of V2) await new Promise((resolve) => tcp.write(Buffer.of(byte), resolve))
    const socket = connectTls({ socket: tcp, rejectUnauthorized: false })
    expect((await askOver(socket, { protocol: 'uwsgi', path: '/pid' })).status).toBe(200)
    // Without a header, TLS is refused, too.
    const bare = connectTls({ port: gateway, host: '127.0.0.1', rejectUnauthorized: false })
    await expect(once(bare, 'secureConnect')).rejects.toThrow()
    await secure.waitForLog(/PROXY protocol: the connection does not begin with a header/)
    await secure.stop()
  })
})
