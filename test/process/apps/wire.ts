/** What the tests of listeners ask for beyond the behaviours of the front server matrix. */

import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Application, Body, Environ, StartResponse } from 'tsgi'
import { application as behaviours } from '../../front/apps/behaviours.ts'

type Route = (environ: Environ, startResponse: StartResponse, query: URLSearchParams) => Body | PromiseLike<Body>

const plain = [['Content-Type', 'text/plain']] as const
const text = (value: string): Uint8Array[] => [new TextEncoder().encode(value)]

/** Another process decides when: this one may be draining by then, and not to be reached any more. */
async function fileAppears(path: string): Promise<void> {
  while (!existsSync(path)) await delay(10)
}

const routes: Readonly<Record<string, Route>> = {
  '/pid': (_environ, startResponse) => {
    startResponse('200 OK', plain)
    return text(String(process.pid))
  },
  /** Answers when the file is there; with `read=1` reads the body then. */
  '/until': async (environ, startResponse, query) => {
    environ['tsgi.errors'].write('holding\n')
    await fileAppears(query.get('file') ?? '')
    const body = query.has('read') ? Buffer.from(await environ['tsgi.input'].read()).toString() : ''
    startResponse('200 OK', plain)
    return text(`${process.pid} ${body}`)
  },
  /** Begins, and ends when the file is there. */
  '/begun-until': (_environ, startResponse, query) => {
    startResponse('200 OK', plain)
    return begunUntil(query.get('file') ?? '')
  },
  /** Gives all away at once, without waiting for room. */
  '/at-once': (_environ, startResponse, query) => {
    const write = startResponse('200 OK', plain)
    void write(new Uint8Array(Number(query.get('bytes'))))
    return []
  },
  '/refuse': (_environ, startResponse) => {
    startResponse('403 Forbidden', plain)
    return text('not you')
  },
  '/own-date': (_environ, startResponse) => {
    startResponse('200 OK', [...plain, ['Date', 'Tue, 15 Nov 1994 08:12:31 GMT'], ['sERVER', 'mine/1.0']])
    return text('dated')
  },
  '/early-hints': async (environ, startResponse, query) => {
    const hint = environ['tsgi.early_hints']
    const link = query.get('link') ?? '</style.css>; rel=preload; as=style'
    const sent = hint === undefined ? 'absent' : await hint(startResponse, [['Link', link]]).catch(String)
    startResponse('200 OK', plain)
    return text(String(sent))
  },
  /** Takes as long as it is read: a client that does not drain it makes it wait. */
  '/no-upgrade': (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
    return large()
  },
  /** Writes until that is refused, and says so. */
  '/write-on': async (environ, startResponse, query) => {
    const write = startResponse('200 OK', plain)
    environ['tsgi.errors'].write(`${query.get('name')} writes\n`)
    for (;;) {
      const refused = await write(new Uint8Array(65_536)).catch((error: Error) => error.name)
      if (refused === undefined) continue
      environ['tsgi.errors'].write(`${query.get('name')} is refused: ${refused}\n`)
      return []
    }
  },
  '/nothing': async function* (_environ, startResponse) {
    startResponse('200 OK', plain)
    yield* []
  } as Route,
}

async function* begunUntil(file: string): AsyncGenerator<Uint8Array> {
  yield* text('begun ')
  await fileAppears(file)
  yield* text('ended')
}

function* large(): Generator<Uint8Array> {
  for (let piece = 0; piece < 64; piece += 1) yield new Uint8Array(65_536).fill(piece)
}

export const application: Application = (environ, startResponse) => {
  const route = routes[environ.PATH_INFO] ?? behaviours
  return route(environ, startResponse, new URLSearchParams(environ.QUERY_STRING))
}
