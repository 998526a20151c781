/** How each behaviour of the matrix is looked at from outside, and what is to be seen. */

import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpResponse, httpRequest, openHttp, type RequestSpec } from '../support/http-client.ts'
import type { Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import type { BehaviourName, Observation } from './matrix.ts'

export interface Context {
  readonly port: number
  readonly tsgi: Tsgi
  /** How long something is waited for that may never come. */
  readonly patienceMs: number
}

export interface Behaviour {
  readonly expected: Observation
  readonly observe: (context: Context) => Promise<Observation>
}

const MB = 1_000_000
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let index = 0; index < size; index += 1) bytes[index] = index % 253
  return bytes
}

/** What /download sends: pieces of 64 KiB that count modulo 251. */
function downloadSum(size: number): string {
  const piece = Buffer.from(Array.from({ length: 65_536 }, (_, index) => index % 251))
  const sum = createHash('sha256')
  for (let sent = 0; sent < size; sent += piece.length) sum.update(piece.subarray(0, size - sent))
  return sum.digest('hex')
}

function parse(response: HttpResponse): Record<string, unknown> {
  if (response.status !== 200) return { status: response.status }
  const value: unknown = JSON.parse(response.text)
  // The application answers these paths with an object.
  return value as Record<string, unknown>
}

const sumOf = (bytes: Uint8Array): Observation => ({ bytes: bytes.length, sha256: sha256(bytes) })

async function* inPieces(bytes: Buffer, size: number, pauseMs: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    if (at > 0 && pauseMs > 0) await delay(pauseMs)
    yield bytes.subarray(at, at + size)
  }
}

const upload = pattern(5 * MB)
const slowBody = pattern(3_000)
const chunkedBody = pattern(300_000)
const unread = pattern(3 * MB)

export const LOOKS: Readonly<Record<BehaviourName, Behaviour>> = {
  path: {
    expected: {
      SCRIPT_NAME: '',
      PATH_INFO: '/path/a b/Ã©',
      QUERY_STRING: 'x=1%202&y',
      REQUEST_URI: '/path/a%20b/%C3%A9?x=1%202&y',
    },
    observe: async ({ port }) => parse(await httpRequest({ port }, { path: '/path/a%20b/%C3%A9?x=1%202&y' })),
  },

  variables: {
    expected: {
      REQUEST_METHOD: 'OPTIONS',
      SERVER_PROTOCOL: 'HTTP/1.1',
      host: 'with port',
      REMOTE_ADDR: '127.0.0.1',
      'tsgi.url_scheme': 'http',
      HTTP_X_TEST: 'value',
      HTTP_AUTHORIZATION: 'Basic YTpi',
    },
    observe: async ({ port }) => {
      const headers = [
        ['X-Test', 'value'],
        ['Authorization', 'Basic YTpi'],
      ] as const
      const environ = parse(await httpRequest({ port }, { method: 'OPTIONS', path: '/environ', headers }))
      const { REQUEST_METHOD, SERVER_PROTOCOL, HTTP_HOST, REMOTE_ADDR, HTTP_X_TEST, HTTP_AUTHORIZATION } = environ
      return {
        REQUEST_METHOD,
        SERVER_PROTOCOL,
        host: HTTP_HOST === `127.0.0.1:${port}` ? 'with port' : HTTP_HOST,
        REMOTE_ADDR,
        'tsgi.url_scheme': environ['tsgi.url_scheme'],
        HTTP_X_TEST,
        HTTP_AUTHORIZATION,
      }
    },
  },

  repeatedHeaders: {
    expected: { header: 'a, b', cookie: 'a=1; b=2' },
    observe: async ({ port }) => {
      const headers = [
        ['X-Repeated', 'a'],
        ['Cookie', 'a=1'],
        ['X-Repeated', 'b'],
        ['Cookie', 'b=2'],
      ] as const
      const environ = parse(await httpRequest({ port }, { path: '/environ', headers }))
      return { header: environ['HTTP_X_REPEATED'], cookie: environ['HTTP_COOKIE'] }
    },
  },

  proxyHeader: {
    expected: { status: 200, arrived: false },
    observe: async ({ port }) => {
      const response = await httpRequest({ port }, { path: '/environ', headers: [['Proxy', 'http://evil.test']] })
      return { status: response.status, arrived: 'HTTP_PROXY' in parse(response) }
    },
  },

  nulInPath: {
    expected: { status: 'refused' },
    observe: async ({ port }) => {
      const { status } = await httpRequest({ port }, { path: '/path/%00' })
      return { status: status === 400 || status === 404 ? 'refused' : status }
    },
  },

  largeHead: {
    expected: { status: 200, bytes: 7_000, others: 20 },
    observe: async ({ port }) => {
      const headers = Array.from({ length: 20 }, (_, index) => [`X-Number-${index}`, 'n'.repeat(30)] as const)
      const cookie = ['Cookie', 'c'.repeat(7_000)] as const
      const response = await httpRequest({ port }, { path: '/environ', headers: [cookie, ...headers] })
      const environ = parse(response)
      const others = Object.keys(environ).filter((name) => name.startsWith('HTTP_X_NUMBER_')).length
      return { status: response.status, bytes: String(environ['HTTP_COOKIE']).length, others }
    },
  },

  status: {
    expected: { lines: ['201 Made', '404 Because', "418 I'm a teapot", '500 Because', '503 Because', '299 Because'] },
    observe: async ({ port }) => {
      const lines: string[] = []
      for (const query of ['201&reason=Made', '404', "418&reason=I'm%20a%20teapot", '500', '503', '299']) {
        const response = await httpRequest({ port }, { path: `/status?code=${query}` })
        const passed =
          response.text === `status ${response.status}` && response.header('x-code') === `${response.status}`
        lines.push(`${response.status} ${response.reason}${passed ? '' : ' (body or header lost)'}`)
      }
      return { lines }
    },
  },

  noBodyStatus: {
    expected: { statuses: [204, 304, 200, 200], after: 'status 200', headLength: 'status 200'.length },
    observe: async ({ port }) => {
      const requests: RequestSpec[] = [
        { path: '/status?code=204' },
        { path: '/status?code=304' },
        { method: 'HEAD', path: '/status?code=200' },
        { path: '/status?code=200' },
      ]
      const [noContent, notModified, head, after] = await onOneConnection(port, requests)
      return {
        statuses: [noContent, notModified, head, after].map((response) => response?.status),
        after: after?.text,
        headLength: Number(head?.header('content-length')),
      }
    },
  },

  responseHeaders: {
    expected: {
      cookies: ['a=1; Path=/', 'b=2; Path=/'],
      repeated: ['one', 'two'],
      latin: 'caf\u00e9',
      long: 3_000,
      cacheControl: 'no-store',
    },
    observe: async ({ port }) => {
      const response = await httpRequest({ port }, { path: '/headers' })
      return {
        cookies: response.headerAll('set-cookie'),
        repeated: response.headerAll('x-repeated'),
        latin: response.header('x-latin'),
        long: response.header('x-long')?.length,
        cacheControl: response.header('cache-control'),
      }
    },
  },

  redirect: {
    expected: { status: 302, location: '/environ' },
    observe: async ({ port }) => {
      const response = await httpRequest({ port }, { path: '/redirect' })
      return { status: response.status, location: response.header('location') }
    },
  },

  form: {
    expected: { name: 'Ada Lovelace', sign: '+&=' },
    observe: async ({ port }) => {
      const headers = [['Content-Type', 'application/x-www-form-urlencoded']] as const
      const body = 'name=Ada+Lovelace&sign=%2B%26%3D'
      return parse(await httpRequest({ port }, { method: 'POST', path: '/form', headers, body }))
    },
  },

  emptyBody: {
    expected: { announced: 0, unannounced: 0 },
    observe: async ({ port }) => {
      const announced = parse(await httpRequest({ port }, { method: 'POST', path: '/sum', body: '' }))
      const unannounced = parse(await httpRequest({ port }, { method: 'DELETE', path: '/sum' }))
      return { announced: announced['bytes'], unannounced: unannounced['bytes'] }
    },
  },

  upload: {
    expected: sumOf(upload),
    observe: async ({ port }) => parse(await httpRequest({ port }, { method: 'POST', path: '/sum', body: upload })),
  },

  slowUpload: {
    expected: sumOf(slowBody),
    observe: async ({ port }) => {
      const headers = [['Content-Length', String(slowBody.length)]] as const
      const body = inPieces(slowBody, 1_000, 50)
      return parse(await httpRequest({ port }, { method: 'POST', path: '/sum', headers, body }))
    },
  },

  chunkedUpload: {
    expected: sumOf(chunkedBody),
    observe: async ({ port }) =>
      parse(await httpRequest({ port }, { method: 'POST', path: '/sum', body: inPieces(chunkedBody, 20_000, 1) })),
  },

  expectContinue: {
    expected: { continued: true, ...sumOf(slowBody) },
    observe: async ({ port }) => {
      const connection = await openHttp({ port }, 5_000)
      try {
        const head = `POST /sum HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nExpect: 100-continue\r\nContent-Length: ${slowBody.length}\r\n\r\n`
        connection.send(head)
        // RFC 9110 section 10.1.1: a client need not wait for ever.
        const first = await Promise.race([connection.readResponse({ method: 'HEAD' }), delay(700)])
        connection.send(slowBody)
        const response = first?.status === 100 ? await connection.readResponse() : (first ?? undefined)
        return { continued: first?.status === 100, ...(response === undefined ? {} : parse(response)) }
      } finally {
        connection.destroy()
      }
    },
  },

  download: {
    expected: { complete: true, bytes: 5 * MB, sha256: downloadSum(5 * MB) },
    observe: async ({ port }) => {
      const { complete, body } = await httpRequest({ port }, { path: `/download?bytes=${5 * MB}` })
      return { complete, ...sumOf(body) }
    },
  },

  downloadLength: {
    expected: { complete: true, length: String(5 * MB), bytes: 5 * MB, sha256: downloadSum(5 * MB) },
    observe: async ({ port }) => {
      const response = await httpRequest({ port }, { path: `/download?bytes=${5 * MB}&length=1` })
      return { complete: response.complete, length: response.header('content-length'), ...sumOf(response.body) }
    },
  },

  streaming: {
    expected: { firstBeforeSecond: true, body: 'first\nsecond\n' },
    observe: async ({ port, patienceMs }) => {
      let arrived = ''
      const streamed = httpRequest({ port }, { path: '/stream', onBody: (chunk) => (arrived += chunk.toString()) })
      const firstBeforeSecond = await Promise.race([
        until('the first line', () => arrived === 'first\n', patienceMs).catch(() => false),
        streamed.then(() => false),
      ])
      await httpRequest({ port }, { path: '/release' })
      await streamed
      return { firstBeforeSecond, body: arrived }
    },
  },

  unreadBody: {
    expected: { answers: ['200 not read', '200 not read', '200 not read'] },
    observe: async ({ port }) => {
      const answers: string[] = []
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const { status, text } = await httpRequest({ port }, { method: 'POST', path: '/ignore-body', body: unread })
        answers.push(`${status} ${text}`)
      }
      return { answers }
    },
  },

  http10: {
    expected: { status: 200, complete: true, bytes: 100_000, sha256: downloadSum(100_000) },
    observe: async ({ port }) => {
      const headers = [['Host', `127.0.0.1:${port}`]] as const
      const response = await httpRequest({ port }, { path: '/download?bytes=100000', httpVersion: '1.0', headers })
      return { status: response.status, complete: response.complete, ...sumOf(response.body) }
    },
  },

  keepAlive: {
    expected: { answered: 20 },
    observe: async ({ port }) => {
      const requests = Array.from({ length: 20 }, (_, index) => ({ path: `/path/${index}` }))
      const responses = await onOneConnection(port, requests)
      return { answered: responses.filter(({ status, complete }) => status === 200 && complete).length }
    },
  },

  concurrency: {
    expected: { answered: 50, atOnce: true },
    observe: async ({ port }) => {
      const startedMs = performance.now()
      const requests = Array.from({ length: 50 }, () => httpRequest({ port }, { path: '/slow?ms=200' }))
      const responses = await Promise.all(requests)
      const answered = responses.filter(({ text }) => text === 'slow').length
      // One after the other they would take 10 seconds.
      return { answered, atOnce: performance.now() - startedMs < 5_000 }
    },
  },

  exception: {
    expected: { status: 500, revealed: false },
    observe: async ({ port }) => {
      const { status, text } = await httpRequest({ port }, { path: '/throw' })
      return { status, revealed: text.includes('thrown') || text.includes('behaviours.ts') }
    },
  },

  brokenStream: {
    expected: { complete: false },
    observe: async ({ port }) => ({ complete: await looksComplete(port, '/break') }),
  },

  brokenLength: {
    expected: { complete: false },
    observe: async ({ port }) => ({ complete: await looksComplete(port, '/break?length=1') }),
  },

  clientGone: {
    expected: { noticed: true },
    observe: async ({ port, tsgi, patienceMs }) => {
      const fromLine = tsgi.process.lines.length
      const connection = await openHttp({ port })
      connection.send(`GET /wait HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
      await tsgi.waitForLog(/waiting/, { fromLine })
      connection.destroy()
      const noticed = tsgi.waitForLog(/gone: ClientDisconnected/, { fromLine, deadlineMs: patienceMs })
      return { noticed: await noticed.then(Boolean, () => false) }
    },
  },

  upgrade: {
    expected: { status: 101, echoed: 'ping pong' },
    observe: async ({ port, patienceMs }) => {
      const connection = await openHttp({ port }, patienceMs)
      try {
        const head = `GET /upgrade HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
        connection.send(`${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`)
        const { status } = await connection.readResponse()
        if (status !== 101) return { status, echoed: '' }
        connection.send('ping ')
        connection.send('pong')
        const echoed = await connection.read(9).then(String, () => 'nothing')
        return { status, echoed }
      } catch (error) {
        if (error instanceof Error && error.message.includes('timeout')) return { status: 'none', echoed: '' }
        throw error
      } finally {
        connection.destroy()
      }
    },
  },
}

/** The responses until the server closes. */
async function onOneConnection(port: number, requests: readonly RequestSpec[]): Promise<HttpResponse[]> {
  const connection = await openHttp({ port })
  const responses: HttpResponse[] = []
  try {
    for (const request of requests) responses.push(await connection.request(request))
  } catch (error) {
    if (!isBroken(error)) throw error
  } finally {
    connection.destroy()
  }
  return responses
}

const isBroken = (error: unknown): boolean => error instanceof Error && error.message.startsWith('the connection broke')

/** A head that never came is a loss that everybody sees. */
async function looksComplete(port: number, path: string): Promise<boolean> {
  try {
    const { complete, status } = await httpRequest({ port }, { path, timeoutMs: 2_000 })
    return complete && status === 200
  } catch (error) {
    if (isBroken(error)) return false
    throw error
  }
}
