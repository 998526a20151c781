/** One application that does, path by path, what the front server matrix asks for. */

import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Application, Body, Environ, HeaderList, StartResponse } from 'tsgi'

const encoder = new TextEncoder()
const text = (value: string): Uint8Array[] => [encoder.encode(value)]
const plain: HeaderList = [['Content-Type', 'text/plain; charset=utf-8']]
const json: HeaderList = [['Content-Type', 'application/json']]

type Route = (environ: Environ, startResponse: StartResponse, query: URLSearchParams) => Body | PromiseLike<Body>

const number = (query: URLSearchParams, name: string): number => Number(query.get(name) ?? 0)

/** 0, 1, 2, ... modulo 251: a piece that is lost or swapped changes the sum. */
function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let index = 0; index < size; index += 1) bytes[index] = index % 251
  return bytes
}

const routes: Readonly<Record<string, Route>> = {
  '/environ': (environ, startResponse) => {
    startResponse('200 OK', json)
    const variables = Object.entries(environ).filter(([, value]) => typeof value === 'string')
    return text(JSON.stringify(Object.fromEntries(variables)))
  },

  '/sum': async (environ, startResponse) => {
    const sum = createHash('sha256')
    let bytes = 0
    for await (const chunk of environ['tsgi.input']) {
      sum.update(chunk)
      bytes += chunk.length
    }
    startResponse('200 OK', json)
    return text(JSON.stringify({ bytes, sha256: sum.digest('hex') }))
  },

  '/form': async (environ, startResponse) => {
    const body = Buffer.from(await environ['tsgi.input'].read()).toString()
    startResponse('200 OK', json)
    return text(JSON.stringify(Object.fromEntries(new URLSearchParams(body))))
  },

  '/echo': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', environ.CONTENT_TYPE ?? 'application/octet-stream']])
    return environ['tsgi.input']
  },

  '/status': (_environ, startResponse, query) => {
    const code = number(query, 'code')
    startResponse(`${code} ${query.get('reason') ?? 'Because'}`, [...plain, ['X-Code', String(code)]])
    return code === 204 || code === 304 ? [] : text(`status ${code}`)
  },

  '/headers': (_environ, startResponse) => {
    startResponse('200 OK', [
      ...plain,
      ['Set-Cookie', 'a=1; Path=/'],
      ['Set-Cookie', 'b=2; Path=/'],
      ['X-Repeated', 'one'],
      ['X-Repeated', 'two'],
      ['X-Latin', 'caf\u00e9'],
      ['X-Long', 'x'.repeat(3000)],
      ['Cache-Control', 'no-store'],
    ])
    return text('headers')
  },

  '/redirect': (_environ, startResponse) => {
    startResponse('302 Found', [...plain, ['Location', '/environ']])
    return text('elsewhere')
  },

  /** `bytes` in pieces of 64 KiB; with `length=1` announced. The number of pieces made so far is in /pieces. */
  '/download': (_environ, startResponse, query) => {
    const bytes = number(query, 'bytes')
    const announced: HeaderList = query.has('length') ? [['Content-Length', String(bytes)]] : []
    startResponse('200 OK', [['Content-Type', 'application/octet-stream'], ...announced])
    return download(bytes)
  },
  '/pieces': (_environ, startResponse) => {
    startResponse('200 OK', plain)
    return text(String(piecesMade))
  },

  /** One line now, and one after the client has asked /release. */
  '/stream': (_environ, startResponse) => {
    startResponse('200 OK', [...plain, ['X-Accel-Buffering', 'no']])
    return stream()
  },
  '/release': (_environ, startResponse) => {
    for (const go of waiting.splice(0)) go()
    startResponse('200 OK', plain)
    return text('released')
  },

  '/throw': () => {
    throw new Error('thrown before the head')
  },
  '/break': (_environ, startResponse, query) => {
    const announced: HeaderList = query.has('length') ? [['Content-Length', '1000000']] : []
    startResponse('200 OK', [...plain, ['X-Accel-Buffering', 'no'], ...announced])
    return breaking()
  },

  '/ignore-body': (_environ, startResponse) => {
    startResponse('200 OK', plain)
    return text('not read')
  },

  /** Waits until the client has left, and says so in the log. */
  '/wait': async (environ, startResponse) => {
    const signal = environ['tsgi.signal']
    environ['tsgi.errors'].write('waiting\n')
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    environ['tsgi.errors'].write(`gone: ${signal.reason?.name}\n`)
    startResponse('200 OK', plain)
    return text('too late')
  },

  '/slow': async (_environ, startResponse, query) => {
    await delay(number(query, 'ms'))
    startResponse('200 OK', plain)
    return text('slow')
  },

  '/worker': (_environ, startResponse) => {
    startResponse('200 OK', plain)
    return text(String(process.pid))
  },

  '/accel': (_environ, startResponse, query) => {
    startResponse('200 OK', [
      ['Content-Type', 'application/pdf'],
      ['Content-Disposition', 'attachment; filename="report.pdf"'],
      ['X-Accel-Redirect', `/protected/${query.get('file') ?? ''}`],
    ])
    return []
  },

  /** After the 101 every byte comes back. */
  '/upgrade': async (environ, startResponse) => {
    const upgrade = environ['tsgi.upgrade']
    if (upgrade === undefined || environ['HTTP_UPGRADE'] === undefined) {
      startResponse('426 Upgrade Required', [...plain])
      return text('no upgrade here')
    }
    const { socket, head } = await upgrade(startResponse)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.write(head)
    socket.pipe(socket)
    return []
  },

  /** A number that grows with each call: shows what came from a cache. */
  '/count': (_environ, startResponse) => {
    count += 1
    startResponse('200 OK', plain)
    return text(String(count))
  },
  '/count-private': (_environ, startResponse) => {
    count += 1
    startResponse('200 OK', [...plain, ['Cache-Control', 'private']])
    return text(String(count))
  },
  '/fail-next': (_environ, startResponse) => {
    failing = true
    startResponse('200 OK', plain)
    return text('the next /flaky fails')
  },
  '/flaky': (_environ, startResponse) => {
    startResponse(failing ? '503 Service Unavailable' : '200 OK', plain)
    return text(failing ? 'failing' : 'fine')
  },
}

let count = 0
let failing = false
let piecesMade = 0
const waiting: (() => void)[] = []

function* download(bytes: number): Generator<Uint8Array> {
  const piece = pattern(65_536)
  for (let sent = 0; sent < bytes; sent += piece.length) {
    piecesMade += 1
    yield piece.slice(0, bytes - sent)
  }
}

async function* stream(): AsyncGenerator<Uint8Array> {
  yield encoder.encode('first\n')
  await new Promise<void>((resolve) => waiting.push(resolve))
  yield encoder.encode('second\n')
}

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield encoder.encode('half of it\n')
  await delay(50)
  throw new Error('thrown in the middle of the body')
}

export const application: Application = (environ, startResponse) => {
  const route = routes[environ.PATH_INFO]
  if (route !== undefined) return route(environ, startResponse, new URLSearchParams(environ.QUERY_STRING))
  // Whatever is below /path/ answers with the path as the application sees it.
  startResponse(environ.PATH_INFO.startsWith('/path/') ? '200 OK' : '404 Not Found', json)
  const { SCRIPT_NAME, PATH_INFO, QUERY_STRING, REQUEST_URI } = environ
  return text(JSON.stringify({ SCRIPT_NAME, PATH_INFO, QUERY_STRING, REQUEST_URI }))
}
