import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import express from 'express'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import type { Application, Environ } from '../../src/application.ts'
import { type MemoryRequest, requestInMemory } from '../../src/gateway/memory.ts'
import type { AsyncApp } from '../../src/interfaces/async/types.ts'
import { fromAsync, fromFetch, fromNode } from '../../src/interfaces/convert.ts'
import { toAsync } from '../../src/interfaces/to-async.ts'
import { toFetch } from '../../src/interfaces/to-fetch.ts'
import { toNode } from '../../src/interfaces/to-node.ts'
import { dispatch } from '../../src/middleware/dispatch.ts'

/** Says what it saw, in pieces, then gives the body back. */
const echo: Application = (environ, startResponse) => {
  startResponse('201 Made', [
    ['X-Path', environ.PATH_INFO],
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
  ])
  return (async function* () {
    yield Buffer.from(`${environ.REQUEST_METHOD} ${environ.QUERY_STRING} ${environ['HTTP_X_A']}|`)
    for await (const chunk of environ['tsgi.input']) yield chunk
  })()
}

const request: MemoryRequest = {
  method: 'POST',
  path: '/a%20b?q=1',
  body: 'x'.repeat(300_000),
  headers: [['X-A', 'yes']],
}

const ways: Readonly<Record<string, Application>> = {
  'Node and back': fromNode(toNode(echo)),
  'fetch and back': fromFetch(toFetch(echo)),
  'async and back': fromAsync(toAsync(echo)),
  'all of them': fromNode(toNode(fromFetch(toFetch(fromAsync(toAsync(echo)))))),
}

describe.each(Object.entries(ways))('to %s', (_name, application) => {
  test('a request and its response arrive whole', async () => {
    const response = await requestInMemory(application, request)
    expect(response.errors).toEqual([])
    expect(response.status).toBe(201)
    const of = (wanted: string) => response.headers.filter(([name]) => name.toLowerCase() === wanted)
    expect(of('x-path').map(([, value]) => value)).toEqual(['/a b'])
    expect(of('set-cookie').map(([, value]) => value)).toEqual(['a=1', 'b=2'])
    expect(response.text).toBe(`POST q=1 yes|${request.body}`)
    expect(response.complete).toBe(true)
  })

  test('no body stays no body', async () => {
    const response = await requestInMemory(application, { path: '/' })
    expect(response.text).toBe('GET  undefined|')
  })
})

test('an application that fails within another interface is a 500 there', async () => {
  const errors: unknown[] = []
  const failing: Application = () => {
    throw new Error('broken')
  }
  const onError = (error: unknown): void => void errors.push(error)
  for (const application of [
    fromNode(toNode(failing, { onError })),
    fromFetch(toFetch(failing, { onError })),
    fromAsync(toAsync(failing, { onError })),
  ]) {
    expect((await requestInMemory(application)).status).toBe(500)
  }
  expect(errors).toEqual([new Error('broken'), new Error('broken'), new Error('broken')])
})

test('an application is a route of Express', async () => {
  const app = express()
  app.get('/environ', toNode(echo))
  app.use((_request, reply) => void reply.send('other'))
  const server = fromNode(http.createServer(app))
  expect((await requestInMemory(server, { path: '/environ' })).text).toBe('GET  undefined|')
  expect((await requestInMemory(server, { path: '/' })).text).toBe('other')
})

/** Says where it stands. */
const place: Application = (environ, startResponse) => {
  startResponse('200 OK', [])
  const { SCRIPT_NAME, PATH_INFO, QUERY_STRING } = environ
  return [Buffer.from([SCRIPT_NAME, PATH_INFO, QUERY_STRING, environ['REQUEST_URI']].join(' | '), 'latin1')]
}

/** What docs/middleware.md says of each. */
test('below a mount of tsgi all see the whole path, and the routes of a framework name the mount', async () => {
  const shop = express.Router().get('/cart', (request, reply) => void reply.send(`${request.baseUrl}|${request.url}`))
  const hono = new Hono().basePath('/hono').get('/cart', (context) => context.text(context.req.url))
  const site = dispatch({
    '/tsgi': place,
    '/node': fromNode((request, response) => void response.end(request.url)),
    '/express': fromNode(express().use('/express', shop)),
    '/fetch': fromFetch((request) => new Response(request.url)),
    '/hono': fromFetch(hono),
    '/async': fromAsync(async (scope, _receive, send) => {
      if (scope.type !== 'http') return
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: Buffer.from(`${scope.path} ${scope.rootPath}`) })
    }),
  })
  const seen = async (mount: string) => (await requestInMemory(site, { path: `/${mount}/cart?id=1` })).text
  expect(await seen('tsgi')).toBe('/tsgi | /cart | id=1 | /tsgi/cart?id=1')
  expect(await seen('node')).toBe('/node/cart?id=1')
  expect(await seen('express')).toBe('/express|/cart?id=1')
  expect(await seen('fetch')).toBe('http://localhost/fetch/cart?id=1')
  expect(await seen('hono')).toBe('http://localhost/hono/cart?id=1')
  expect(await seen('async')).toBe('/async/cart /async')
})

describe('below a mount of Express', () => {
  const app = express()
  app.use('/api', express.Router().use('/:tenant', toNode(place)))
  app.use('/old', (request, _reply, next) => {
    request.url = '/new?y'
    next()
  })
  app.use('/old', toNode(place))
  app.use(toNode(place))
  const server = fromNode(app)

  test.each([
    ['/', ' | / |  | /'],
    ['/x%20y?q', ' | /x y | q | /x%20y?q'],
    ['/api/caf%C3%A9/x%2Fy?q=1', '/api/caf\u00c3\u00a9 | /x/y | q=1 | /api/caf%C3%A9/x%2Fy?q=1'],
    ['/api/acme', '/api/acme |  |  | /api/acme'],
    ['/api/acme?q', '/api/acme |  | q | /api/acme?q'],
    ['/api/acme/', '/api/acme | / |  | /api/acme/'],
    ['/old/x', '/old | /new | y | /old/new?y'],
  ])('%s is told as it would be below a mount of tsgi', async (path, expected) => {
    expect((await requestInMemory(server, { path })).body).toEqual(Buffer.from(expected, 'latin1'))
  })
})

/** Connect sets `originalUrl` and no `baseUrl`. */
test.each([
  ['/mnt/x?q', '/x?q', '/mnt | /x | q | /mnt/x?q'],
  ['/mnt', '/', '/mnt |  |  | /mnt'],
  ['/mnt?q', '/?q', '/mnt |  | q | /mnt?q'],
  ['/mnt/', '/', '/mnt | / |  | /mnt/'],
  ['/gone/x', '/index.html', ' | /index.html |  | /index.html'],
])('below a mount of Connect %s is %s', async (originalUrl, url, expected) => {
  const listener = toNode(place)
  const server = fromNode((request, response) => listener(Object.assign(request, { originalUrl, url }), response))
  expect((await requestInMemory(server, { path: originalUrl })).text).toBe(expected)
})

describe('behind handlers of Express that read', () => {
  const reading: Application = async (environ, startResponse) => {
    const body = await environ['tsgi.input'].read()
    startResponse('200 OK', [])
    return [Buffer.from(`read ${Buffer.from(body)}`)]
  }
  const errors: unknown[] = []
  const app = express()
  app.use('/parsed', express.json())
  app.use('/half', (request, _reply, next) => {
    request.once('readable', () => {
      request.read(2)
      next()
    })
  })
  app.use('/half', toNode(reading, { onError: (error) => errors.push(error) }))
  app.use('/parsed/unread', toNode(place))
  app.use(toNode(reading, { onError: (error) => errors.push(error) }))
  const server = fromNode(app)
  const post = (path: string, type: string, body: string) =>
    requestInMemory(server, { method: 'POST', path, body, headers: [['Content-Type', type]] })

  test.each(['/parsed', '/half'])('%s: what of the body is gone is an error, and no end', async (path) => {
    errors.length = 0
    expect((await post(path, 'application/json', '{"a":1}')).status).toBe(500)
    expect(errors).toMatchObject([{ code: 'TSGI_APP_INPUT_TAKEN' }])
  })

  test('who reads no body is not concerned', async () => {
    expect((await post('/parsed/unread', 'application/json', '{"a":1}')).status).toBe(200)
  })

  test('a body that they left alone is whole, and none is an end', async () => {
    expect((await post('/parsed', 'text/plain', 'whole')).text).toBe('read whole')
    expect((await post('/parsed', 'application/json', '')).text).toBe('read ')
    expect((await requestInMemory(server, { path: '/parsed' })).text).toBe('read ')
  })

  test('a stream that ended without a byte is an end', async () => {
    const listener = toNode(reading)
    const ended = http.createServer((request, response) => {
      request.resume().once('end', () => listener(request, response))
    })
    expect((await requestInMemory(fromNode(ended))).text).toBe('read ')
  })
})

const leaving =
  (tell: (reason: unknown) => void): Application =>
  (environ) =>
    new Promise((_resolve, reject) => {
      environ['tsgi.signal'].addEventListener('abort', () => {
        tell(environ['tsgi.signal'].reason)
        reject(environ['tsgi.signal'].reason)
      })
    })

async function connectedTo(server: http.Server): Promise<net.Socket> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo
  return net.connect(port, '127.0.0.1')
}

test('a client that left before the application was called has left', async () => {
  const reasons: unknown[] = []
  const gone = AbortSignal.abort()
  const application = leaving((reason) => reasons.push(reason))
  await expect(toFetch(application)(new Request('http://a.example/', { signal: gone }))).rejects.toThrow()
  const listener = toNode(application)
  const server = http.createServer((request, response) => {
    response.once('close', () => listener(request, response))
  })
  const leave = new AbortController()
  const app = toAsync(application)
  const late: typeof app = async (scope, receive, send) => {
    leave.abort()
    if (scope.type === 'http' && !scope.signal.aborted) await once(scope.signal, 'abort')
    return app(scope, receive, send)
  }
  await requestInMemory(fromAsync(late), { signal: leave.signal })
  const client = await connectedTo(server)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(server, 'request')
  client.destroy()
  await expect.poll(() => reasons.length).toBe(3)
  server.close()
  expect(reasons).toMatchObject(Array(3).fill({ code: 'TSGI_CLIENT_DISCONNECTED' }))
})

/** Its head and a part are out. */
const streaming =
  (next: (environ: Environ) => Promise<unknown>): Application =>
  (environ, startResponse) => {
    startResponse('200 OK', [])
    return (async function* () {
      yield Buffer.from('part')
      await next(environ)
    })()
  }

describe('a response that breaks off', () => {
  const idle = ({ 'tsgi.signal': signal }: Environ) => once(signal, 'abort')

  test.each([
    ['before its head', leaving(() => undefined)],
    ['after its head', streaming(idle)],
  ])('because the client leaves, %s, is no failure to an outer interface', async (_name, application) => {
    const leave = new AbortController()
    const called: Application = (environ, startResponse) => {
      setImmediate(() => leave.abort())
      return application(environ, startResponse)
    }
    const { errors, warnings } = await requestInMemory(fromAsync(toAsync(called)), { signal: leave.signal })
    expect([errors, warnings]).toEqual([[], []])
  })

  test('because the client leaves has the reason of the signal', async () => {
    const leave = new AbortController()
    const { signal } = leave
    const waiting = toFetch(leaving(() => undefined))(new Request('http://a.example/', { signal }))
    const response = await toFetch(streaming(idle))(new Request('http://a.example/', { signal }))
    const reason = new Error('enough')
    leave.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(response.text()).rejects.toBe(reason)
  })

  test('because the application failed says so', async () => {
    const fails = async (): Promise<never> => {
      throw new Error('midway')
    }
    const failing = streaming(fails)
    const response = await toFetch(failing, { onError: () => undefined })(new Request('http://a.example/'))
    await expect(response.text()).rejects.toThrow('the response broke off')
    const outer = await requestInMemory(fromAsync(toAsync(failing, { onError: () => undefined })))
    expect(outer).toMatchObject({ complete: false, errors: [new Error('the response broke off')] })
  })
})

describe('a request body that goes on after its response is let go', () => {
  const answer: Application = (_environ, startResponse) => {
    startResponse('200 OK', [])
    return [Buffer.from('enough')]
  }
  const readsFirst: Application = async (environ, startResponse) => {
    const chunks = environ['tsgi.input'][Symbol.asyncIterator]()
    await chunks.next()
    return answer(environ, startResponse)
  }
  type Pull = (controller: ReadableStreamDefaultController) => Promise<void>
  const endless: Pull = async (controller) => {
    await new Promise((resolve) => setImmediate(resolve))
    controller.enqueue(Buffer.from('more'))
  }
  const silent: Pull = () => new Promise(() => undefined)

  test.each<[string, Application, Pull]>([
    ['that nobody reads', answer, endless],
    ['that was read from', readsFirst, endless],
    ['of which the next piece does not come', readsFirst, silent],
  ])('%s', async (_name, application, pull) => {
    const start = (controller: ReadableStreamDefaultController): void => controller.enqueue(Buffer.from('first'))
    let told = (): void => undefined
    const cancelled = new Promise<void>((resolve) => {
      told = resolve
    })
    const body = new ReadableStream({ start, pull, cancel: () => told() }, { highWaterMark: 0 })
    const request = new Request('http://a.example/', { method: 'POST', body, duplex: 'half' })
    expect(await (await toFetch(application)(request)).text()).toBe('enough')
    await cancelled
  })
})

test('a request body that somebody reads already fails the reading, and nothing else', async () => {
  const request = new Request('http://a.example/', { method: 'POST', body: 'taken' })
  request.body?.getReader()
  let heard: unknown
  const reads: Application = async (environ, startResponse) => {
    heard = await environ['tsgi.input'].read().catch((error: unknown) => error)
    startResponse('200 OK', [])
    return []
  }
  expect((await toFetch(reads)(request)).status).toBe(200)
  expect(heard).toBeInstanceOf(TypeError)
})

test('names of headers that only look like another’s are not passed on', async () => {
  const seen: Environ[] = []
  const saying: Application = async (environ, startResponse) => {
    seen.push(environ)
    startResponse('200 OK', [])
    return [await environ['tsgi.input'].read()]
  }
  const server = http.createServer(toNode(saying))
  const client = await connectedTo(server)
  const head = ['POST / HTTP/1.1', 'Host: a', 'Connection: close', 'Content-Length: 8', 'Content-Type: a/b', 'X-H: 1']
  client.write([...head, 'Content_Length: 3', 'Content_Type: evil/x', 'X_H: 2', 'X.H: 3', '', '12345678'].join('\r\n'))
  expect(await text(client)).toMatch(/\r\n\r\n12345678$/)
  server.close()
  expect(seen).toMatchObject([{ CONTENT_LENGTH: '8', CONTENT_TYPE: 'a/b', HTTP_X_H: '1' }])
  expect(Object.keys(seen[0] ?? {}).filter((name) => name.includes('.H'))).toEqual([])
})

test('an application that is an async one has the state of its start-up', async () => {
  const stored = { db: 'open' }
  const app = toAsync((environ, startResponse) => {
    startResponse('200 OK', [])
    return [Buffer.from(JSON.stringify(environ['tsgi.state']))]
  })
  const withState: AsyncApp = Object.assign(
    ((scope, receive, send) => app(Object.assign(scope, { state: stored }), receive, send)) satisfies AsyncApp,
    app,
  )
  expect((await requestInMemory(fromAsync(withState))).text).toBe('{"db":"open"}')
})
