import { once } from 'node:events'
import { createServer } from 'node:http'
import { inspect } from 'node:util'
import * as zlib from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerInMemory, type MemoryRequest, requestInMemory } from '../../src/gateway/memory.ts'
import { fromFetch } from '../../src/interfaces/convert.ts'
import { type FetchHandler, handlerOfFetch } from '../../src/interfaces/fetch/fetch.ts'
import { prepareFetchGlobals } from '../../src/interfaces/fetch/globals.ts'
import { rememberNative } from '../../src/interfaces/fetch/native.ts'
import { requestUrl } from '../../src/interfaces/fetch/request-url.ts'
import { dispatch } from '../../src/middleware/dispatch.ts'

const { Request: NativeRequest, Response: NativeResponse } = rememberNative()

prepareFetchGlobals()

const ask = (handler: FetchHandler, request: MemoryRequest = {}) => answerInMemory(handlerOfFetch(handler), request)

const text = (value: string) => new TextEncoder().encode(value)

describe('the request', () => {
  test('is a Request to whoever asks', async () => {
    let facts: unknown
    await ask((request) => {
      facts = [
        request instanceof Request,
        request instanceof NativeRequest,
        request.headers instanceof Headers,
        Object.prototype.toString.call(request),
        request.signal instanceof AbortSignal,
        request.credentials,
        request.body,
      ]
      return new Response()
    })
    expect(facts).toEqual([true, true, true, '[object Request]', true, 'same-origin', null])
  })

  test('says what the platform says about the same request', async () => {
    const seen = (request: Request) => ({
      ...{ method: request.method, url: request.url, headers: [...request.headers], used: request.bodyUsed },
      ...{
        agent: request.headers.get('USER-agent'),
        none: request.headers.get('x-none'),
        has: request.headers.has('a'),
      },
    })
    let ours: unknown
    const headers = [
      ['Host', 'Example.COM:80'],
      ['User-Agent', 'test'],
      ['X-Two-Words', 'a b'],
    ] as const
    await ask(
      (request) => {
        ours = seen(request)
        return new Response()
      },
      { path: '/a/b/?c=%2F', headers },
    )
    const platform = new NativeRequest('http://Example.COM:80/a/b/?c=%2F', {
      headers: headers.map(([...pair]) => pair),
    })
    expect(ours).toEqual(seen(platform))
  })

  const body: MemoryRequest = { method: 'POST', body: '{"a":1}', headers: [['Content-Type', 'application/json']] }
  const readers: Readonly<Record<string, (request: Request) => Promise<string>>> = {
    text: (request) => request.text(),
    json: async (request) => JSON.stringify(await request.json()),
    arrayBuffer: async (request) => Buffer.from(await request.arrayBuffer()).toString(),
    blob: async (request) => (await request.blob()).text(),
    body: async (request) => new NativeResponse(request.body).text(),
    clone: async (request) => (await request.clone().text()) && request.text(),
    'a new Request': (request) => new Request(request).text(),
    'a new Request with another URL': (request) => new Request('http://a.example/', request).text(),
  }
  test.each(Object.entries(readers))('gives its body once: %s', async (_name, read) => {
    const response = await ask(async (request) => {
      const before = request.bodyUsed
      const content = await read(request)
      const again = await request.text().catch((error: unknown) => (error instanceof TypeError ? 'TypeError' : 'other'))
      return new Response([content, before, again].join(' '))
    }, body)
    expect(response.text).toBe('{"a":1} false TypeError')
  })

  test('is used up once it was read: nothing sends it on without its body', async () => {
    const faults: unknown[] = []
    const refused = (error: unknown) => faults.push(error instanceof TypeError)
    const response = await ask(async (request) => {
      await request.text()
      try {
        new Request(request)
      } catch (error) {
        refused(error)
      }
      await fetch(request).catch(refused)
      await request.blob().catch(refused)
      return new Response(`${request.bodyUsed} ${request.body?.locked}`)
    }, body)
    expect(faults).toEqual([true, true, true])
    expect(response.text).toBe('true false')
  })

  test('can be printed, and is the class that it says', async () => {
    const headers = [['X-A', 'b']] as const
    const response = await ask(
      (request) => new Response([inspect(request), inspect(request.headers)].join('\n---\n')),
      { ...body, headers },
    )
    const [shown = '', shownHeaders = ''] = response.text.split('\n---\n')
    expect(shown).toMatch(/^Request \{\s+method: 'POST',\s+url: 'http:/)
    expect(shown).toContain("'x-a': 'b'")
    expect(shownHeaders).toMatch(/^Headers \{/)
    await ask((request) => {
      expect([request.constructor, request.headers.constructor]).toEqual([Request, Headers])
      return new Response()
    })
  })

  test('enumerates as the platform does', async () => {
    const names = (value: object) => {
      const found: string[] = []
      for (const name in value) found.push(name)
      return found.sort()
    }
    let ours: readonly string[][] = []
    await ask((request) => {
      ours = [names(request), names(request.headers), names(new Response())]
      return new Response()
    })
    const platform = new NativeRequest('http://a.example/')
    expect(ours).toEqual([names(platform), names(platform.headers), names(new NativeResponse())])
  })

  test('gives the bytes of a header as Headers does: blanks at its ends are taken off, U+00A0 is not', async () => {
    // The UTF-8 of voilà ends with the byte A0.
    const values = ['voil\xc3\xa0', '\xa0a', ' \ta b\t ', ' ', '']
    const read: (string | null)[] = []
    for (const value of values) {
      await ask(
        (request) => {
          read.push(request.headers.get('x-a'))
          return new Response()
        },
        { headers: [['X-A', value]] },
      )
    }
    expect(read).toEqual(values.map((value) => new Headers([['x-a', value]]).get('x-a')))
  })

  test('names no expectation: it is met, and with it no fetch would send the request on', async () => {
    const seen: unknown[] = []
    await ask(
      async (request) => {
        const { headers } = request
        seen.push(
          headers.has('expect'),
          headers.get('Expect'),
          [...headers.keys()].includes('expect'),
          headers.get('expect'),
        )
        return new Response()
      },
      { ...body, headers: [['Expect', '100-continue']] },
    )
    expect(seen).toEqual([false, null, false, null])
  })

  test('reads a form', async () => {
    const response = await ask(async (request) => new Response(String((await request.formData()).get('x'))), {
      method: 'POST',
      body: 'x=7&y=8',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
    })
    expect(response.text).toBe('7')
  })

  test('has the headers that are set after it was cloned', async () => {
    const seen: unknown[] = []
    await ask(
      (request) => {
        const { headers } = request
        request.clone()
        headers.set('x-new', '1')
        headers.delete('x-old')
        seen.push(request.headers === headers, request.headers.get('x-new'), request.headers.has('x-old'))
        for (const copy of [request.clone(), new Request(request)]) {
          seen.push(copy.headers.get('x-new'), copy.headers.get('x-old'))
        }
        return new Response()
      },
      { headers: [['X-Old', 'a']] },
    )
    expect(seen).toEqual([true, '1', false, '1', null, '1', null])
  })

  test('aborts when the client leaves', async () => {
    const leave = new AbortController()
    let reason: unknown
    await ask(
      (request) =>
        new Promise((resolve) => {
          request.signal.addEventListener('abort', () => {
            reason = request.signal.reason
            resolve(new Response())
          })
          setImmediate(() => leave.abort())
        }),
      { signal: leave.signal },
    )
    expect(reason).toMatchObject({ code: 'TSGI_CLIENT_DISCONNECTED' })
  })

  test('the environ is in env and in the context', async () => {
    const response = await ask((_request, env, context) => {
      return new Response(`${env.environ['REMOTE_ADDR']} ${context.environ === env.environ}`)
    })
    expect(response.text).toBe('127.0.0.1 true')
  })

  test('env and context may be spread, inherited from and wrapped in a Proxy', async () => {
    const seen: unknown[] = []
    const response = await ask((request, env, context) => {
      const { environ } = context
      const wider = { ...env, database: 'db' }
      const proxied = new Proxy(env, { get: (target, name, receiver) => Reflect.get(target, name, receiver) })
      seen.push(wider.environ === environ, Object.create(env).environ === environ, proxied.environ === environ)
      seen.push(Object.keys(env), Object.create(context).environ === environ)
      Object.create(context).waitUntil(Promise.resolve().then(() => seen.push('waited')))
      Object.assign(env, { environ: 'replaced' })
      seen.push(env.environ)
      return new Response(request.url)
    })
    expect(response.errors).toEqual([])
    expect(seen).toEqual([true, true, true, ['environ'], true, 'replaced', 'waited'])
  })
})

test('URLs are those of the platform, parsed or not', () => {
  const hosts = [
    'a.example',
    'A.example',
    'a.example:8080',
    'a.example:80',
    '127.0.0.1',
    '[::1]:8000',
    '[0:0::1]',
    'xn--a',
  ]
  const targets = ['/', '/a/b?c=d', '/a/../b', '/%2e%2e/x', '//b/c', '/a b', '/ä', "/it's", '/?a=b#c', '/a|b', '/a"b']
  for (const host of hosts) {
    for (const target of targets) {
      const of = () => requestUrl({ scheme: 'http', host, target, get: () => undefined })
      const wanted = `http://${host}${target}`
      if (URL.canParse(wanted)) expect(of()).toBe(new URL(wanted).href)
      else expect(of).toThrow(expect.objectContaining({ code: 'TSGI_CLIENT_BAD_URL' }))
    }
  }
})

test.each(['%61dmin.example', 'admin%2eexample', 'ad\xadmin.example', '010.1.1.1', '0x7f.1:8000', '2130706433'])(
  'a host of which URL would make another one is a 400: %j',
  (host) => {
    const of = () => requestUrl({ scheme: 'http', host, target: '/', get: () => undefined })
    expect(of).toThrow(expect.objectContaining({ code: 'TSGI_CLIENT_BAD_URL' }))
  },
)

test.each([
  ['/a\\..\\admin?b\\c', 'http://a.example/a%5C..%5Cadmin?b\\c'],
  ['/ad\tmin', 'http://a.example/ad%09min'],
])('%j is one name in the root, as it is to a front server', (target, url) => {
  expect(requestUrl({ scheme: 'http', host: 'a.example', target, get: () => undefined })).toBe(url)
})

describe('dot segments', () => {
  test.each(['/x/../admin', '/x/%2e%2E/admin', '/./admin', '/x/..', '/x/.?a'])(
    'that nobody has resolved are a 400: %s',
    async (path) => {
      const response = await ask((request) => new Response(request.url), { path })
      expect(response).toMatchObject({ status: 400, errors: [] })
      const application = fromFetch((request) => new Response(request.url))
      expect((await requestInMemory(dispatch({ '/x': application, '/': application }), { path })).status).toBe(400)
    },
  )

  test.each([
    ['/x/../admin', '/admin'],
    ['/x/%2e/y?a=..', '/x/y'],
    ['/.well-known/a', '/.well-known/a'],
    ['/a..b/...', '/a..b/...'],
  ])('that the front server has resolved are resolved: %s', async (target, path) => {
    const response = await ask((request) => new Response(request.url), {
      params: { REQUEST_URI: target, PATH_INFO: path },
    })
    expect(new URL(response.text).pathname).toBe(path)
  })
})

test.each(['1.2.3.999', 'a%zz', '[::1', 'a:99999'])(
  'a Host that makes no URL, %s, is a 400 and no fault of the application',
  async (host) => {
    const response = await ask((request) => new Response(request.url), { headers: [['Host', host]] })
    expect(response).toMatchObject({ status: 400, errors: [] })
  },
)

describe('the response', () => {
  test('of a string is sent at once, with its length and its type', async () => {
    const response = await ask(() => new Response('hällo'))
    expect(response.headers).toEqual([
      ['content-type', 'text/plain;charset=UTF-8'],
      ['Content-Length', '6'],
    ])
    expect(response.chunks.length).toBe(1)
    expect(response.text).toBe('hällo')
  })

  const bodies: Readonly<Record<string, () => ConstructorParameters<typeof Response>[0]>> = {
    string: () => 'abc',
    Uint8Array: () => text('abc'),
    ArrayBuffer: () => text('abc').buffer,
    DataView: () => new DataView(text('abc').buffer),
    Blob: () => new Blob(['a', 'bc']),
    URLSearchParams: () => new URLSearchParams('abc'),
    ReadableStream: () => new Blob(['abc']).stream(),
  }
  describe.each([
    ['ours', () => Response],
    ['of the platform', () => NativeResponse],
  ])('%s', (_name, constructorOf) => {
    test.each(Object.entries(bodies))('carries a body of kind %s', async (kind, body) => {
      const Constructor = constructorOf()
      const response = await ask(() => new Constructor(body(), { status: 203, headers: { 'X-A': '1' } }))
      expect(response.status).toBe(203)
      expect(response.text).toBe(kind === 'URLSearchParams' ? 'abc=' : 'abc')
      expect(response.headers).toContainEqual(['x-a', '1'])
      expect(response.errors).toEqual([])
    })

    test('never merges Set-Cookie', async () => {
      const Constructor = constructorOf()
      const response = await ask(() => {
        const answer = new Constructor('x', { headers: [['Set-Cookie', 'a=1']] })
        answer.headers.append('Set-Cookie', 'b=2')
        return answer
      })
      expect(response.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
        'a=1',
        'b=2',
      ])
    })
  })

  test('behaves as the platform’s does', async () => {
    const made = (Constructor: typeof NativeResponse) => [
      new Constructor(),
      new Constructor('x', { status: 404, statusText: 'Nope' }),
      new Constructor('x', { headers: { 'content-type': 'a/b', 'X-Two': ' trimmed ' } }),
      new Constructor('x', {
        headers: [
          ['a', '1'],
          ['A', '2'],
        ],
      }),
      new Constructor('x', new Constructor(null, { status: 202, headers: { a: 'b' } })),
      Constructor.json({ a: 1 }, { status: 201 }),
      Constructor.redirect('http://a.example/b', 303),
    ]
    const facts = async (response: Response) => ({
      ...{ status: response.status, statusText: response.statusText, ok: response.ok, type: response.type },
      headers: [...response.headers],
      isResponse: response instanceof Response && response instanceof NativeResponse,
      clone: await response.clone().text(),
      text: await response.text(),
      used: response.bodyUsed,
    })
    const ours = await Promise.all(made(Response).map(facts))
    expect(ours).toEqual(await Promise.all(made(NativeResponse).map(facts)))
  })

  test('has the headers that are set after it was cloned, and so has its next clone', async () => {
    for (const Constructor of [Response, NativeResponse]) {
      let second = new Constructor()
      const response = await ask(() => {
        const answer = new Constructor('x', { headers: [['x-old', 'a']] })
        const { headers } = answer
        const first = answer.clone()
        headers.set('x-new', '1')
        headers.delete('x-old')
        headers.append('set-cookie', 'a=1')
        headers.append('set-cookie', 'b=2')
        first.headers.set('x-first', '1')
        second = answer.clone()
        return answer
      })
      for (const headers of [new Headers(response.headers.map(([...pair]) => pair)), second.headers]) {
        expect([headers.get('x-new'), headers.get('x-old'), headers.get('x-first')]).toEqual(['1', null, null])
        expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
      }
    }
  })

  test('is refused where the platform refuses it', () => {
    for (const Constructor of [Response, NativeResponse]) {
      expect(() => new Constructor('x', { status: 204 })).toThrow(TypeError)
      expect(() => new Constructor('x', { status: 99 })).toThrow(RangeError)
      expect(() => new Constructor('x', { headers: { 'a b': 'c' } })).toThrow(TypeError)
      expect(() => new Constructor('x', { headers: { a: 'b\nc' } })).toThrow(TypeError)
    }
  })

  test('a class derived from Response is a Response, and others are not of that class', async () => {
    class Derived extends Response {}
    expect(new Derived('x') instanceof Response).toBe(true)
    expect(new Response('x') instanceof Derived).toBe(false)
    expect((await ask(() => new Derived('derived'))).text).toBe('derived')
  })

  test('bytes are copied, as the platform does', async () => {
    const bytes = text('before')
    const response = await ask(() => {
      const answer = new Response(bytes)
      bytes.fill(0)
      return answer
    })
    expect(response.text).toBe('before')
  })

  test('may be of a class that looks like Response, as libraries bring their own', async () => {
    const { body } = new NativeResponse('from elsewhere')
    const foreign = { status: 202, statusText: '', headers: new Map([['x-a', 'b']]), body }
    const response = await ask(() => foreign as unknown as Response)
    expect([response.statusLine, response.text]).toEqual(['202 Accepted', 'from elsewhere'])
    expect(response.headers).toContainEqual(['x-a', 'b'])
  })

  test('anything else is an error that says what it was', async () => {
    const almost = await ask(() => ({ status: 200, statusText: '', headers: {}, body: 'text' }) as unknown as Response)
    expect(almost.status).toBe(500)
    const response = await ask(() => 'text' as unknown as Response)
    expect(response.status).toBe(500)
    expect(String(response.errors[0])).toContain('must return a Response, not "text"')
  })
})

describe('a streamed response', () => {
  test('is written chunk by chunk as it comes', async () => {
    let pulled = 0
    const response = await ask(
      () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              await new Promise(setImmediate)
              if (++pulled > 3) controller.close()
              else controller.enqueue(text(String(pulled)))
            },
          }),
        ),
    )
    expect(response.text).toBe('123')
    expect(response.chunks.length).toBe(3)
  })

  test('sends its head although nothing has come yet', async () => {
    const leave = new AbortController()
    let cancelled: unknown
    const response = await ask(
      () => {
        setTimeout(() => leave.abort(), 20)
        return new Response(
          new ReadableStream({
            cancel(reason) {
              cancelled = reason
            },
          }),
          { headers: { 'content-type': 'text/event-stream' } },
        )
      },
      { signal: leave.signal },
    )
    expect(response.statusLine).toBe('200 OK')
    expect(response.complete).toBe(false)
    await expect.poll(() => cancelled).toMatchObject({ code: 'TSGI_CLIENT_DISCONNECTED' })
  })

  test('that fails is not taken for a whole one', async () => {
    const response = await ask(
      () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              await new Promise(setImmediate)
              controller.enqueue(text('part'))
              controller.error(new Error('source failed'))
            },
          }),
        ),
    )
    expect(response.complete).toBe(false)
  })

  test('is cancelled, not read, for HEAD', async () => {
    let pulled = 0
    let cancelled = false
    const stream = () =>
      new ReadableStream(
        {
          pull: () => void pulled++,
          cancel: () => {
            cancelled = true
          },
        },
        { highWaterMark: 0 },
      )
    const response = await ask(() => new Response(stream()), { method: 'HEAD' })
    expect([response.status, pulled, cancelled]).toEqual([200, 0, true])
  })

  test('is answered for HEAD although its cancelling does not end, as that of a clone’s other branch', async () => {
    const stream = () => new ReadableStream({ cancel: () => new Promise<void>(() => undefined) })
    const kept: Response[] = []
    const answers: readonly (() => Response)[] = [
      () => new Response(stream()),
      () => {
        const response = new Response(stream())
        kept.push(response.clone())
        return response
      },
    ]
    for (const answer of answers) {
      const response = await ask(answer, { method: 'HEAD' })
      expect([response.status, response.complete, response.errors]).toEqual([200, true, []])
    }
  })

  test('whose cancelling fails for HEAD is answered all the same, and the failure is told', async () => {
    const failing = () =>
      new Response(
        new ReadableStream({
          cancel: () => {
            throw new Error('still in use')
          },
        }),
      )
    const response = await ask(failing, { method: 'HEAD' })
    expect([response.status, response.errors]).toEqual([200, []])
    await expect.poll(() => response.errorLines.join()).toContain('Error: still in use')
  })

  test('is cancelled where the client left before the handler returned it', async () => {
    const leave = new AbortController()
    let cancelled: unknown
    const response = await ask(
      async (request) => {
        leave.abort()
        await new Promise((resolve) => {
          if (request.signal.aborted) resolve(undefined)
          else request.signal.addEventListener('abort', resolve)
        })
        return new Response(
          new ReadableStream({
            cancel(reason) {
              cancelled = reason
            },
          }),
        )
      },
      { signal: leave.signal },
    )
    expect(response.complete).toBe(false)
    await expect.poll(() => cancelled).toMatchObject({ code: 'TSGI_CLIENT_DISCONNECTED' })
  })

  test('is cancelled where its head is refused, whatever its cancelling does', async () => {
    let cancelled: unknown
    const response = await ask(
      () =>
        new Response(
          new ReadableStream({
            cancel(reason) {
              cancelled = reason
              throw new Error('not now')
            },
          }),
          { headers: { 'content-length': 'abc' } },
        ),
    )
    expect(response.status).toBe(500)
    expect(response.errors).toMatchObject([{ code: 'TSGI_APP_BAD_HEADER' }])
    expect(cancelled).toBe(response.errors[0])
  })
})

test('waitUntil is waited for after the response, and its rejection is told', async () => {
  let done = false
  const later = new Promise((resolve) => setImmediate(resolve)).then(() => {
    done = true
  })
  const response = await ask((_request, _env, context) => {
    context.waitUntil(later)
    context.waitUntil(Promise.reject(new Error('background')))
    return new Response('x')
  })
  expect(done).toBe(true)
  expect(response.text).toBe('x')
  expect(response.warnings.join()).toContain('background')
})

test('CONNECT and TRACK, which no Request can name, are 405', async () => {
  expect((await ask(() => new Response(), { method: 'TRACK' })).status).toBe(405)
})

describe('what fetch gave is sent on as it is read:', () => {
  const answers: Readonly<Record<string, readonly [coding: string, body: Buffer]>> = {
    '/gzip': ['gzip', zlib.gzipSync('plain text')],
    '/two': ['deflate, br', zlib.brotliCompressSync(zlib.deflateSync('plain text'))],
    '/zstd': ['zstd', 'zstdCompressSync' in zlib ? zlib.zstdCompressSync('plain text') : Buffer.alloc(0)],
    '/other': ['rot13', Buffer.from('plain text')],
  }
  const upstream = createServer((request, response) => {
    if (request.url === '/echo') {
      request.pipe(response)
      return
    }
    const [coding, body] = answers[request.url ?? ''] ?? ['', Buffer.alloc(0)]
    response.writeHead(200, { 'content-encoding': coding, 'content-length': body.length, 'x-a': 'b' }).end(body)
  })
  beforeAll(() => once(upstream.listen(0, '127.0.0.1'), 'listening'))
  afterAll(() => {
    upstream.close()
    upstream.closeAllConnections()
  })
  const urlOf = (path: string): string => {
    const address = upstream.address()
    return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}${path}` : ''
  }

  test.each(['/gzip', '/two'])('of %s neither the coding is named nor its length', async (path) => {
    const { text, headers } = await ask(() => fetch(urlOf(path)))
    expect(text).toBe('plain text')
    const names = headers.map(([name]) => name)
    expect(names).toContain('x-a')
    expect(names).not.toContain('content-encoding')
    expect(names).not.toContain('content-length')
  })

  test('a request with a body goes through as it is, whatever was expected', async () => {
    const { text } = await ask((request) => fetch(new Request(urlOf('/echo'), request)), {
      method: 'PUT',
      body: 'the body',
      headers: [['Expect', '100-continue']],
    })
    expect(text).toBe('the body')
  })

  test.runIf('zstdCompressSync' in zlib)(
    'of Zstandard what this Node undoes is not named, and else it stays',
    async () => {
      const { body, text, headers } = await ask(() => fetch(urlOf('/zstd')))
      const coding = headers.find(([name]) => name === 'content-encoding')?.[1]
      if (coding === undefined) expect(text).toBe('plain text')
      else expect([coding, Buffer.from(body)]).toEqual(answers['/zstd'])
    },
  )

  test('a coding that fetch does not undo stays', async () => {
    const { text, headers } = await ask(() => fetch(urlOf('/other')))
    expect([text, headers.find(([name]) => name === 'content-encoding')?.[1]]).toEqual(['plain text', 'rot13'])
  })

  test('the headers of a Response that the application made are its own', async () => {
    const encoded = zlib.gzipSync('x')
    const { body, headers } = await ask(() => new NativeResponse(encoded, { headers: { 'content-encoding': 'gzip' } }))
    expect([Buffer.from(body), headers[0]]).toEqual([encoded, ['content-encoding', 'gzip']])
  })
})
