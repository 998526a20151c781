/** What the load tests need of an application, path by path. Plain JavaScript: it boots as fast as any application can. */

import { Buffer } from 'node:buffer'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const plain = [['Content-Type', 'text/plain; charset=utf-8']]
const piece = Buffer.alloc(65_536, 'x')
const own = Buffer.from(String(process.pid))

setFlagsFromString('--expose-gc')
const collect = runInNewContext('globalThis.gc')
setFlagsFromString('--no-expose-gc')

/** Taken by a generator: how many pieces of the last download were made. */
let pieces = 0

function* download(bytes) {
  pieces = 0
  for (let left = bytes; left > 0; left -= piece.length) {
    pieces += 1
    yield left < piece.length ? piece.subarray(0, left) : piece
  }
}

/** Keeps a core busy; a promise that waits would let other requests run. */
function burn(milliseconds) {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

const routes = {
  /** The process that answers. */
  '/': (_environ, startResponse) => {
    startResponse('200 OK', plain)
    return [own]
  },

  '/burn': (_environ, startResponse, query) => {
    burn(Number(query.get('ms')))
    startResponse('200 OK', plain)
    return [own]
  },

  /** How many bytes the body has, read piece by piece. */
  '/count': async (environ, startResponse) => {
    let bytes = 0
    for await (const chunk of environ['tsgi.input']) bytes += chunk.length
    startResponse('200 OK', plain)
    return [Buffer.from(String(bytes))]
  },

  /** Answers at once and leaves the body unread. */
  '/early': (_environ, startResponse) => {
    startResponse('413 Content Too Large', plain)
    return [Buffer.from('enough')]
  },

  '/download': (_environ, startResponse, query) => {
    startResponse('200 OK', plain)
    return download(Number(query.get('bytes')))
  },

  '/pieces': (_environ, startResponse) => {
    startResponse('200 OK', plain)
    return [Buffer.from(String(pieces))]
  },

  /** Breaks off after some bytes; with `length` it had announced more. */
  '/break': (_environ, startResponse, query) => {
    const bytes = Number(query.get('bytes'))
    startResponse('200 OK', query.has('length') ? [...plain, ['Content-Length', String(bytes + 1000)]] : plain)
    return (async function* broken() {
      yield* download(bytes)
      if (query.has('later')) await new Promise((resolve) => setTimeout(resolve, 20))
      throw new Error('meant to break')
    })()
  },

  /** What this process holds, after everything that is dead was collected. */
  '/state': (_environ, startResponse) => {
    collect()
    const handles = {}
    for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
    startResponse('200 OK', [['Content-Type', 'application/json']])
    return [Buffer.from(JSON.stringify({ handles, heapBytes: process.memoryUsage().heapUsed }))]
  },

  /** Until the client leaves. */
  '/wait': async (environ, startResponse) => {
    await new Promise((resolve) => environ['tsgi.signal'].addEventListener('abort', resolve, { once: true }))
    startResponse('200 OK', plain)
    return []
  },
}

/** @type {import('tsgi').Application} */
export function application(environ, startResponse) {
  const route = routes[environ.PATH_INFO]
  if (route !== undefined) return route(environ, startResponse, new URLSearchParams(environ.QUERY_STRING))
  startResponse('404 Not Found', plain)
  return []
}
