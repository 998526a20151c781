/** The built-in HTTP listener, as clients meet it. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { httpRequest, openHttp, type RequestSpec } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const app = join(import.meta.dirname, 'apps', 'wire.ts')

interface Served {
  readonly tsgi: Tsgi
  readonly port: number
  readonly uwsgi: string
}

async function served(...args: string[]): Promise<Served> {
  const port = await freePort()
  const uwsgi = socketPath()
  const listeners = ['--http', `127.0.0.1:${port}`, '--uwsgi', uwsgi]
  return { tsgi: await startTsgi({ app, args: ['--workers', '1', ...listeners, ...args] }), port, uwsgi }
}

let main: Served
beforeAll(async () => {
  main = await served()
})

const ask = (request: RequestSpec | string): ReturnType<typeof httpRequest> =>
  httpRequest(main, typeof request === 'string' ? { path: request } : request)

const environOf = async (request: RequestSpec): Promise<Record<string, string>> => JSON.parse((await ask(request)).text)

/** What is written by hand, and all that comes back until the server closes. */
async function converse(port: number, ...pieces: readonly string[]): Promise<string> {
  const connection = await openHttp({ port })
  for (const piece of pieces) connection.send(piece)
  await connection.closed()
  connection.destroy()
  return connection.unread().toString('latin1')
}

describe('the variables', () => {
  test('are raw in REQUEST_URI and decoded in PATH_INFO, and nothing is collapsed', async () => {
    const { text } = await ask('/path//a%2Fb/../c%20d?q=%2F%20&r')
    expect(JSON.parse(text)).toEqual({
      SCRIPT_NAME: '',
      PATH_INFO: '/path//a/b/../c d',
      QUERY_STRING: 'q=%2F%20&r',
      REQUEST_URI: '/path//a%2Fb/../c%20d?q=%2F%20&r',
    })
  })

  test('leave out header names that could be mistaken for others', async () => {
    const headers = [
      ['X_Real_Ip', '192.0.2.66'],
      ['X.Real.Ip', '192.0.2.67'],
      ['X-Other', 'stays'],
    ] as const
    const environ = await environOf({ path: '/environ', headers })
    expect(environ['HTTP_X_OTHER']).toBe('stays')
    expect(Object.keys(environ).filter((name) => /REAL.IP/.test(name))).toEqual([])
  })

  test('of a request as a proxy gets it name the host of its target', async () => {
    const environ = await environOf({
      path: 'http://user@inside.test:81/environ?x',
      headers: [['Host', 'elsewhere.test']],
    })
    expect(environ).toMatchObject({
      REQUEST_URI: '/environ?x',
      PATH_INFO: '/environ',
      HTTP_HOST: 'inside.test:81',
      SERVER_NAME: 'inside.test',
    })
  })

  test('that contradict each other, or end strings elsewhere, are answered with 400', async () => {
    const twoHosts = await converse(
      main.port,
      'GET /environ HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
    )
    expect(twoHosts).toMatch(/^HTTP\/1\.1 400 /)
    expect((await ask('/path/%00')).status).toBe(400)
  })

  test('of a peer of IPv4 on a socket of both families show its IPv4 address', async () => {
    const port = await freePort()
    const tsgi = await startTsgi({ app, args: ['--workers', '1', '--http', `:${port}`] })
    const { text } = await httpRequest({ port }, { path: '/environ' })
    expect(JSON.parse(text)).toMatchObject({ REMOTE_ADDR: '127.0.0.1', SERVER_PORT: String(port) })
    await tsgi.stop()
  })
})

describeWith(['nginx'], 'behind nginx', () => {
  test('a request has the same variables as straight to the HTTP listener, save those of the place', async () => {
    const nginx = await startNginx({
      sites: [{ file: 'app.conf', substitutions: { 'unix:/run/tsgi/app.sock': `unix:${main.uwsgi}` } }],
    })
    const request: RequestSpec = {
      method: 'POST',
      path: '/environ?a=b&c=%20',
      headers: [
        ['Host', 'www.example.test'],
        ['Content-Type', 'application/x-thing'],
        ['Cookie', 'a=1'],
        ['Cookie', 'b=2'],
        ['Accept', 'text/html'],
        ['Accept', 'text/plain'],
        ['X-Latin', 'caf\u00e9'],
        ['Proxy', 'http://evil.test'],
        ['X_Dropped', 'yes'],
        ['Remote-User', 'mallory'],
        ['Authorization', 'Basic x'],
        ['Connection', 'close'],
      ],
      body: 'body',
    }
    const dump = async (port: number): Promise<Record<string, string>> => {
      const { text } = await httpRequest({ port }, request)
      // Written by the application.
      const environ = JSON.parse(text) as Record<string, string>
      for (const name of ['SERVER_NAME', 'SERVER_PORT', 'REMOTE_PORT', 'DOCUMENT_ROOT']) delete environ[name]
      return environ
    }
    const straight = await dump(main.port)
    expect(straight).toEqual(await dump(nginx.port))
    expect(straight).toMatchObject({
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_ACCEPT: 'text/html, text/plain',
      CONTENT_LENGTH: '4',
    })
    expect(straight['HTTP_PROXY']).toBeUndefined()
    await nginx.stop()
  })
})

describe('the response', () => {
  test('has a Date and a Server, once each, the application’s own where it gives them', async () => {
    const ours = await ask('/pid')
    expect(ours.headerAll('date')).toHaveLength(1)
    expect(ours.headerAll('server')).toEqual(['tsgi'])
    const own = await ask('/own-date')
    expect(own.headerAll('date')).toEqual(['Tue, 15 Nov 1994 08:12:31 GMT'])
    expect(own.headerAll('server')).toEqual(['mine/1.0'])
  })

  test('to HEAD has the headers of GET and no body, and the connection goes on', async () => {
    const connection = await openHttp(main)
    const get = await connection.request({ path: '/download?bytes=100000&length=1' })
    const head = await connection.request({ method: 'HEAD', path: '/download?bytes=100000&length=1' })
    expect(get.bodyBytes).toBe(100_000)
    expect(head.header('content-length')).toBe('100000')
    expect((await connection.request({ path: '/pid' })).status).toBe(200)
    expect(connection.unread()).toHaveLength(0)
    connection.destroy()
  })

  test('keeps repeats, Latin-1 and its reason, and 204 and 304 have no body', async () => {
    const response = await ask('/headers')
    expect(response.headerAll('set-cookie')).toEqual(['a=1; Path=/', 'b=2; Path=/'])
    expect(response.header('x-latin')).toBe('caf\u00e9')
    expect(await ask('/status?code=299&reason=Why%20not')).toMatchObject({ status: 299, reason: 'Why not' })
    const connection = await openHttp(main)
    for (const code of [204, 304])
      expect((await connection.request({ path: `/status?code=${code}` })).status).toBe(code)
    expect((await connection.request({ path: '/nothing' })).bodyBytes).toBe(0)
    expect(connection.unread()).toHaveLength(0)
    connection.destroy()
  })

  test('that breaks off is seen to, with chunks, with a length, and over HTTP/1.0', async () => {
    for (const request of [
      { path: '/break' },
      { path: '/break?length=1' },
      { path: '/break', httpVersion: '1.0' },
    ] as const) {
      expect((await ask(request)).complete, JSON.stringify(request)).toBe(false)
    }
    expect((await ask('/throw')).status).toBe(500)
  })

  test('is preceded by early hints where the client knows them', async () => {
    const connection = await openHttp(main)
    connection.send('GET /early-hints HTTP/1.1\r\nHost: a\r\n\r\n')
    const hints = await connection.readResponse()
    expect(hints).toMatchObject({ status: 103, bodyBytes: 0 })
    expect(hints.header('link')).toBe('</style.css>; rel=preload; as=style')
    expect(await connection.readResponse()).toMatchObject({ status: 200, text: 'true' })
    const injected = `/early-hints?link=${encodeURIComponent('</a>; rel=preload\r\nSet-Cookie: x=1')}`
    const refused = await connection.request({ path: injected })
    expect(refused.text).toContain('Error')
    expect(refused.header('set-cookie')).toBeUndefined()
    connection.destroy()
    expect(await ask({ path: '/early-hints', httpVersion: '1.0' })).toMatchObject({ status: 200, text: 'absent' })
  })
})

describe('the request body', () => {
  test('may be chunked, in whatever pieces', async () => {
    const pieces = [1, 7, 65_536, 100_000, 3].map((size) => Buffer.alloc(size, size))
    const { text } = await ask({ method: 'POST', path: '/sum', body: pieces })
    expect(JSON.parse(text).bytes).toBe(165_547)
  })

  test('is asked for with 100 Continue when the application reads, and not before', async () => {
    const file = join(tempDir(), 'go')
    const connection = await openHttp(main)
    const fromLine = main.tsgi.process.lines.length
    connection.send(
      `POST /until?read=1&file=${file} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`,
    )
    await main.tsgi.waitForLog(/holding/, { fromLine })
    expect(connection.unread()).toHaveLength(0)
    expect(connection.socket.readableLength).toBe(0)
    writeFileSync(file, '')
    expect((await connection.readResponse()).status).toBe(100)
    connection.send('body')
    expect((await connection.readResponse()).text).toMatch(/ body$/)
    // Nothing is out of step.
    expect((await connection.request({ path: '/pid' })).status).toBe(200)
    connection.destroy()
  })

  test('is not asked for where the answer is no, and the connection ends, for nobody knows whether it comes', async () => {
    const answer = await converse(
      main.port,
      'POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
      // Some clients send it at once.
      'body',
    )
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*Connection: close\r\n[\s\S]*not you/)
    expect(answer).not.toContain(' 100 ')
  })

  test('that nobody reads does not cost the answer', async () => {
    const body = Buffer.alloc(3_000_000)
    for (const Connection of ['close', 'keep-alive']) {
      for (let round = 0; round < 20; round += 1) {
        const response = await ask({
          method: 'POST',
          path: '/ignore-body',
          body,
          headers: [['Connection', Connection]],
        })
        expect(response).toMatchObject({ status: 200, text: 'not read', complete: true })
      }
    }
    expect(await ask({ method: 'POST', path: '/ignore-body', body, httpVersion: '1.0' })).toMatchObject({
      status: 200,
      text: 'not read',
      complete: true,
    })
  })

  test('is read to its end by whoever reads on after the response', async () => {
    const folder = tempDir()
    const late = join(folder, 'late.mjs')
    writeFileSync(
      late,
      `import { createServer } from 'node:http'
       let read = 0
       createServer(async (request, response) => {
         if (request.method === 'GET') return response.end(String(read))
         response.statusCode = 202
         response.end('taken')
         for await (const chunk of request) read += chunk.length
       }).listen(3000)`,
    )
    const port = await freePort()
    await startTsgi({ app: late, args: ['--workers', '1', '--http', `127.0.0.1:${port}`] })
    const connection = await openHttp({ port })
    connection.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(1000)}`)
    expect((await connection.readResponse()).text).toBe('taken')
    connection.send('y'.repeat(299_000))
    await until('all of it to be read', async () => (await httpRequest({ port }, { path: '/' })).text === '300000')
    connection.destroy()
  })

  test('above --max-body is answered with 413, whether its length is announced or not', async () => {
    const { port, tsgi } = await served('--max-body', '1k')
    const body = Buffer.alloc(3_000_000)
    for (let round = 0; round < 10; round += 1) {
      expect((await httpRequest({ port }, { method: 'POST', path: '/sum', body })).status).toBe(413)
      const chunks = [body.subarray(0, 1000), body.subarray(0, 1000)]
      expect((await httpRequest({ port }, { method: 'POST', path: '/sum', body: chunks })).status).toBe(413)
    }
    await tsgi.stop()
  })
})

describe('a connection', () => {
  test('serves many requests, also when they do not wait for each other', async () => {
    const connection = await openHttp(main)
    for (const name of ['a', 'b', 'c']) connection.send(`GET /path/${name} HTTP/1.1\r\nHost: a\r\n\r\n`)
    for (const name of ['a', 'b', 'c']) {
      expect(JSON.parse((await connection.readResponse()).text).PATH_INFO).toBe(`/path/${name}`)
    }
    expect((await connection.request({ path: '/pid' })).header('connection')).toBe('keep-alive')
    connection.destroy()
  })

  test('may begin with an empty line (RFC 9112 section 2.2)', async () => {
    const answer = await converse(main.port, '\r\nGET /pid HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  test('that its client closes aborts the request', async () => {
    const fromLine = main.tsgi.process.lines.length
    const connection = await openHttp(main)
    connection.send('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n')
    await main.tsgi.waitForLog(/waiting/, { fromLine })
    connection.destroy()
    await main.tsgi.waitForLog(/gone: ClientDisconnected/, { fromLine })
  })

  test('that breaks in the middle of an upload or a download harms nobody', async () => {
    const pid = await onlyWorker(main.tsgi)
    for (let round = 0; round < 20; round += 1) {
      const upload = await openHttp(main)
      upload.send('POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc')
      const download = await openHttp(main)
      download.send('GET /download?bytes=10000000 HTTP/1.1\r\nHost: a\r\n\r\n')
      await once(download.socket, 'readable')
      upload.socket.resetAndDestroy()
      download.socket.resetAndDestroy()
    }
    expect((await ask('/pid')).text).toBe(String(pid))
  })

  test('is upgraded when the application says so, with the bytes that came too early', async () => {
    const connection = await openHttp(main)
    connection.send('GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly')
    expect((await connection.readResponse()).status).toBe(101)
    expect(String(await connection.read(5))).toBe('early')
    connection.send('later')
    expect(String(await connection.read(5))).toBe('later')
    connection.destroy()
  })

  test('that is not upgraded gets its whole answer and is closed', async () => {
    const upgrade = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'h2c'],
    ] as const
    const response = await ask({ path: '/no-upgrade', headers: upgrade })
    expect(response).toMatchObject({ status: 200, bodyBytes: 64 * 65_536, complete: true })
    expect(response.headerAll('date')).toHaveLength(1)
    expect(response.header('connection')).toBe('close')
    // Java's HTTP client would rather speak HTTP/2, with every request that it sends.
    const connection = await openHttp(main)
    const post = await connection.request({
      method: 'POST',
      path: '/sum',
      headers: upgrade,
      body: Buffer.alloc(200_000),
    })
    expect(JSON.parse(post.text).bytes).toBe(200_000)
    const chunked = await connection.request({
      method: 'POST',
      path: '/sum',
      headers: upgrade,
      body: [Buffer.alloc(9)],
    })
    expect(JSON.parse(chunked.text).bytes).toBe(9)
    connection.destroy()
  })

  test('that asks to be upgraded before its earlier response is out is closed, and only it', async () => {
    const pid = await onlyWorker(main.tsgi)
    const upgrade = 'GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
    await converse(main.port, `GET /slow?ms=200 HTTP/1.1\r\nHost: a\r\n\r\n${upgrade}`)
    const fromLine = main.tsgi.process.lines.length
    const leaver = await openHttp(main)
    leaver.send('GET /wait HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    await main.tsgi.waitForLog(/waiting/, { fromLine })
    leaver.socket.resetAndDestroy()
    await main.tsgi.waitForLog(/gone: ClientDisconnected/, { fromLine })
    expect((await ask('/pid')).text).toBe(String(pid))
  })
})

describe('limits', () => {
  test('a client that does not finish its head, or says nothing, or stalls in its body, is freed', async () => {
    const { port, tsgi } = await served('--read-timeout', '1')
    const slowHead = converse(port, 'GET / HTTP/1.1\r\nHos')
    const silent = converse(port)
    const stalled = converse(port, 'POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    const keptOpen = await openHttp({ port })
    expect((await keptOpen.request({ path: '/pid' })).status).toBe(200)
    expect(await silent).toBe('')
    expect(await slowHead).toMatch(/^HTTP\/1\.1 408 /)
    expect(await stalled).toMatch(/^HTTP\/1\.1 400 /)
    // Between two requests nothing is owed.
    expect((await keptOpen.request({ path: '/pid' })).status).toBe(200)
    keptOpen.destroy()
    await tsgi.stop()
  })

  test('a request that runs too long is answered with 504', async () => {
    const { port, tsgi } = await served('--request-timeout', '300ms')
    expect((await httpRequest({ port }, { path: '/wait' })).status).toBe(504)
    await tsgi.waitForLog(/gone: RequestTimeout/)
    await tsgi.stop()
  })

  test('a head that is too large, or has too many fields, is answered with 431', async () => {
    expect((await ask({ path: `/${'x'.repeat(140_000)}` })).status).toBe(431)
    expect((await ask({ path: `/path/${'x'.repeat(100_000)}` })).status).toBe(200)
    const headers = Array.from({ length: 1100 }, (_, index): [string, string] => [`X-${index}`, ''])
    expect((await ask({ path: '/pid', headers })).status).toBe(431)
  })

  test('a worker at its cap serves one after the other, all of them', async () => {
    const { port, tsgi } = await served('--max-concurrency', '1')
    const idle = await openHttp({ port })
    const asked = Array.from({ length: 10 }, () => httpRequest({ port }, { path: '/slow?ms=20' }))
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200)
    expect((await idle.request({ path: '/pid' })).status).toBe(200)
    idle.destroy()
    await tsgi.stop()
  })

  test('a client that ends its side is gone, or is not, as --half-close says', async () => {
    const fromLine = main.tsgi.process.lines.length
    const gone = connect(main.port, '127.0.0.1')
    gone.end('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n')
    await main.tsgi.waitForLog(/gone: ClientDisconnected/, { fromLine })
    gone.destroy()
    const { port, tsgi } = await served('--half-close', 'ignore')
    const socket = connect(port, '127.0.0.1')
    socket.end('GET /slow?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n')
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*slow/)
    await tsgi.stop()
  })
})

describe('a worker that drains', () => {
  test('answers what is in flight and what comes on open connections, says close, and loses nothing', async () => {
    const { port, tsgi } = await served()
    const oldPid = await onlyWorker(tsgi)
    const file = join(tempDir(), 'go')
    const idle = await openHttp({ port })
    expect((await idle.request({ path: '/pid' })).header('connection')).toBe('keep-alive')
    const busy = await openHttp({ port })
    busy.send(`GET /until?file=${file} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await tsgi.waitForLog(/holding/)
    tsgi.signal('SIGHUP')
    await tsgi.waitForLog(/reloaded: generation 2/)

    const fresh = await httpRequest({ port }, { path: '/pid' })
    expect(fresh.text).not.toBe(String(oldPid))
    const late = await idle.request({ method: 'POST', path: '/pid', body: 'x' })
    expect(late.text).toBe(String(oldPid))
    expect(late.header('connection')).toBe('close')
    writeFileSync(file, '')
    const finished = await busy.readResponse()
    expect(finished.text).toBe(`${oldPid} `)
    expect(finished.header('connection')).toBe('close')
    await Promise.all([idle.closed(), busy.closed()])
    await until('the old worker has left', () => !tsgi.workerPids().includes(oldPid))
    idle.destroy()
    busy.destroy()
    await tsgi.stop()
  })

  test('does not wait for idle connections when tsgi stops, nor for those that were never used', async () => {
    const { port, tsgi } = await served('--graceful-timeout', '600')
    const idle = await openHttp({ port })
    await idle.request({ path: '/pid' })
    const unused = await openHttp({ port })
    expect((await httpRequest({ port }, { path: '/pid' })).status).toBe(200)
    tsgi.signal('SIGTERM')
    await Promise.all([idle.closed(), unused.closed()])
    expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
    expect(tsgi.records().some(({ msg }) => String(msg).includes('not done within'))).toBe(false)
    idle.destroy()
    unused.destroy()
  })

  test('closes idle connections at once while developing, so that a page is of the new code', async () => {
    const port = await freePort()
    const args = ['--http', `127.0.0.1:${port}`, '--workers', '1']
    // What `tsgi dev` sets.
    const tsgi = await startTsgi({ app, args, env: { NODE_ENV: 'test', TSGI_DEBUG: 'yes' } })
    const idle = await openHttp({ port })
    await idle.request({ path: '/pid' })
    tsgi.signal('SIGHUP')
    await idle.closed()
    idle.destroy()
    await tsgi.stop()
  })
})

test('several listeners, Unix sockets among them, are served alike', async () => {
  const [one, two, path] = [await freePort(), await freePort(), socketPath('http.sock')]
  const args = ['--http', `127.0.0.1:${one}`, '--http', `127.0.0.1:${two}`, '--http', path, '--workers', '1']
  const tsgi = await startTsgi({ app, args })
  for (const port of [one, two]) expect((await httpRequest({ port }, { path: '/pid' })).status).toBe(200)
  const socket = connect(path)
  socket.write('GET /environ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK/)
  expect(answer).toContain('"SERVER_PORT":"80"')
  await tsgi.stop()
})
