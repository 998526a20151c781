import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import type { Application, Environ, HeaderList } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { basicAuth } from '../../src/middleware/basic-auth.ts'
import { dispatch } from '../../src/middleware/dispatch.ts'
import { errorPage } from '../../src/middleware/error-page.ts'
import { headerOf } from '../../src/middleware/head.ts'
import { limitBody, limitTime } from '../../src/middleware/limits.ts'
import { proxyFix } from '../../src/middleware/proxy-fix.ts'
import { currentRequestId, requestId } from '../../src/middleware/request-id.ts'
import { validate } from '../../src/middleware/validate.ts'
import { validateMiddleware } from '../../src/middleware/validate-middleware.ts'

const saying =
  (text: (environ: Parameters<Application>[0]) => string | undefined): Application =>
  (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [Buffer.from(String(text(environ)))]
  }

test.each([
  ['validate', (application: Application) => validate(application)],
  ['requestId', (application: Application) => requestId(application)],
])('%s takes a thenable whose then gives nothing, as the gateway does', async (_name, wrap) => {
  const application = wrap((_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    const thenable: unknown = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is for
      then: (resolve: (body: Uint8Array[]) => void) => resolve([Buffer.from('later')]),
    }
    // Less than the type asks for, and as much as a query builder may have.
    return thenable as PromiseLike<Uint8Array[]>
  })
  expect(await requestInMemory(application)).toMatchObject({ status: 200, text: 'later', errors: [] })
})

describe('requestId', () => {
  const application = requestId(saying((environ) => `${environ['tsgi.request_id']} ${currentRequestId()}`))

  test('takes the id of the front server, and never that of a client unasked', async () => {
    const headers = [['X-Request-Id', 'from-client']] as const
    const given = await requestInMemory(application, { headers, params: { REQUEST_ID: 'front-1' } })
    expect(given.text).toBe('front-1 front-1')
    expect(headerOf(given.headers, 'X-Request-Id')).toBe('front-1')
    const made = await requestInMemory(application, { headers })
    expect(made.text).toMatch(/^([0-9a-f-]{36}) \1$/)
    const trusting = requestId(
      saying((environ) => String(environ['tsgi.request_id'])),
      { trustHeader: true },
    )
    expect((await requestInMemory(trusting, { headers })).text).toBe('from-client')
    const forged = await requestInMemory(trusting, { headers: [['X-Request-Id', 'x y"']] })
    expect(forged.text).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('does not leak from one request to another', async () => {
    const slow = requestId(async (_environ, startResponse) => {
      const before = currentRequestId()
      await sleep(5)
      startResponse('200 OK', [])
      return [Buffer.from(String(before === currentRequestId()))]
    })
    const responses = await Promise.all(Array.from({ length: 5 }, () => requestInMemory(slow)))
    expect(responses.map(({ text }) => text)).toEqual(Array(5).fill('true'))
    expect(currentRequestId()).toBeUndefined()
  })

  const params = { REQUEST_ID: 'front-1' }
  const id = () => Buffer.from(String(currentRequestId()))

  test('is known to a body that is pulled or closed, whatever it is, and to the callbacks', async () => {
    const seen: unknown[] = []
    const note = (what: string) => void seen.push([what, currentRequestId()])
    const sync = {
      *[Symbol.iterator]() {
        try {
          yield id()
          yield Buffer.from('cut off')
        } finally {
          note('finally')
        }
      },
      close: () => note('close'),
    }
    async function* generator() {
      try {
        yield id()
        await sleep(1)
        yield id()
      } finally {
        note('finally')
      }
    }
    const manual = {
      [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true as const, value: note('next') }) }),
      destroy: () => note('destroy'),
    }
    const results: [() => AsyncIterable<Uint8Array> | Iterable<Uint8Array>, HeaderList, string, string[]][] = [
      [() => sync, [['Content-Length', '7']], 'front-1', ['finally', 'close']],
      [generator, [], 'front-1front-1', ['finally']],
      [() => manual, [], '', ['next', 'destroy']],
    ]
    for (const [body, headers, text, places] of results) {
      for (const wait of [false, true]) {
        seen.length = 0
        const application: Application = (environ, startResponse) => {
          environ['tsgi.after'](() => note('after'))
          startResponse('200 OK', headers)
          return wait ? sleep(1).then(body) : body()
        }
        const response = await requestInMemory(requestId(application), { params })
        expect(response.text).toBe(text)
        expect(seen).toEqual([...places, 'after'].map((place) => [place, 'front-1']))
        expect(response.errors).toEqual([])
      }
    }
  })

  test('leaves arrays, file bodies and what is no body as they are', async () => {
    const array = [Buffer.from('x')]
    async function* chunks() {
      yield* array
    }
    const fileBody = { close: async () => undefined, [Symbol.asyncIterator]: () => chunks() }
    // What somebody without a type checker would return.
    const none: Uint8Array[] = JSON.parse('null')
    const environs: Environ[] = []
    const taken: Application = (environ, startResponse) => {
      environs.push(environ)
      startResponse('200 OK', [])
      return []
    }
    await requestInMemory(taken, {}, { extensions: [['tsgi.file_wrapper', () => fileBody]] })
    const [environ] = environs
    if (environ === undefined) throw new Error('the application was not called')
    const bodies: ((environ: Environ) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>)[] = [
      () => array,
      (inner) => inner['tsgi.file_wrapper']?.({ path: 'a' }) ?? [],
      () => none,
      () => new Set(array),
    ]
    const returned = bodies.map((body) => requestId((inner) => body(inner))(environ, () => async () => undefined))
    expect(returned[0]).toBe(array)
    expect(returned[1]).toBe(fileBody)
    expect(returned[2]).toBe(none)
    // What is iterated without waiting stays so.
    expect(Reflect.has(returned[3] ?? {}, Symbol.iterator)).toBe(true)
  })

  test('a callback that is no function is refused where it is given', async () => {
    const wrong: Application = (environ, startResponse) => {
      startResponse('200 OK', [])
      return [Buffer.from(String(Reflect.apply(environ['tsgi.after'], undefined, ['text'])))]
    }
    const response = await requestInMemory(requestId(wrong))
    expect(String(response.errors)).toContain('tsgi.after wants a function')
  })
})

describe('basicAuth', () => {
  const encoded = (text: string) => Buffer.from(text).toString('base64')
  const site = basicAuth(
    saying((environ) => `${environ['REMOTE_USER']} ${environ['AUTH_TYPE']}`),
    {
      realm: 'The "site"',
      users: { ada: 'pass:word', zoë: 'ü' },
    },
  )

  test.each([
    [`Basic ${encoded('ada:pass:word')}`, 'ada Basic'],
    [`basic  ${encoded('ada:pass:word')}`, 'ada Basic'],
    [`Basic ${encoded('zoë:ü')}`, 'zo\u00c3\u00ab Basic'],
  ])('%s passes', async (header, text) => {
    const response = await requestInMemory(site, { headers: [['Authorization', header]] })
    expect(response.status).toBe(200)
    expect(response.body).toEqual(Buffer.from(text))
  })

  test.each([
    '',
    `Basic ${encoded('ada:wrong')}`,
    `Basic ${encoded('bob:pass:word')}`,
    `Basic ${encoded('ada')}`,
    'Basic !',
    'Bearer x',
  ])('%j does not', async (header) => {
    const response = await requestInMemory(site, { headers: header === '' ? [] : [['Authorization', header]] })
    expect(response.status).toBe(401)
    expect(headerOf(response.headers, 'WWW-Authenticate')).toBe('Basic realm="The \\"site\\"", charset="UTF-8"')
  })

  test('a function may decide', async () => {
    const asking = basicAuth(
      saying(() => 'in'),
      { users: async (user, password) => user === password },
    )
    expect((await requestInMemory(asking, { headers: [['Authorization', `Basic ${encoded('x:x')}`]] })).status).toBe(
      200,
    )
    expect((await requestInMemory(asking, { headers: [['Authorization', `Basic ${encoded('x:y')}`]] })).status).toBe(
      401,
    )
  })
})

describe('limitBody', () => {
  const reading =
    (read: (environ: Parameters<Application>[0]) => Promise<unknown>): Application =>
    async (environ, startResponse) => {
      await read(environ)
      startResponse('200 OK', [])
      return []
    }
  const ways: [string, Application][] = [
    ['read', reading((environ) => environ['tsgi.input'].read())],
    [
      'read by piece',
      reading(async (environ) => {
        while ((await environ['tsgi.input'].read(3)).length > 0);
      }),
    ],
    [
      'readline',
      reading(async (environ) => {
        while ((await environ['tsgi.input'].readline()).length > 0);
      }),
    ],
    ['readlines', reading((environ) => environ['tsgi.input'].readlines())],
    [
      'iteration',
      reading(async (environ) => {
        for await (const chunk of environ['tsgi.input']) void chunk
      }),
    ],
  ]
  test.each(ways)('%s: as much as allowed passes, a byte more is 413, announced or not', async (_way, application) => {
    const limited = limitBody(application, 10)
    const unannounced = { CONTENT_LENGTH: '' }
    const ask = (bytes: number, params = {}) =>
      requestInMemory(limited, { method: 'POST', body: 'x'.repeat(bytes), params })
    expect((await ask(10)).status).toBe(200)
    expect((await ask(10, unannounced)).status).toBe(200)
    expect((await ask(11)).status).toBe(413)
    expect((await ask(11, unannounced)).status).toBe(413)
  })
})

test.each(['read', 'readline', 'readlines', 'iteration'])(
  'limitBody: %s after the limit is 413 as well',
  async (way) => {
    const first: unknown[] = []
    const again = limitBody(async (environ) => {
      const input = environ['tsgi.input']
      const next = input[Symbol.asyncIterator]()
      await next.next().catch((error: unknown) => first.push(error))
      if (way === 'read') await input.read(4)
      if (way === 'readline') await input.readline()
      if (way === 'readlines') await input.readlines()
      if (way === 'iteration') for await (const chunk of input) void chunk
      return []
    }, 10)
    const response = await requestInMemory(again, {
      method: 'POST',
      body: 'x'.repeat(34),
      params: { CONTENT_LENGTH: '' },
    })
    expect(first).toMatchObject([{ code: 'TSGI_INPUT_TOO_LARGE' }])
    expect([response.status, response.errors]).toEqual([413, []])
  },
)

describe('limitTime', () => {
  test('answers 503, tells the signal, and closes what comes too late', async () => {
    const closed = vi.fn()
    let reason: unknown
    const over = new Promise<void>((resolve) => closed.mockImplementation(() => resolve()))
    const slow: Application = async (environ) => {
      await new Promise((resolve) => environ['tsgi.signal'].addEventListener('abort', resolve))
      reason = environ['tsgi.signal'].reason
      const late = { [Symbol.iterator]: () => [][Symbol.iterator](), close: closed }
      return late
    }
    const response = await requestInMemory(limitTime(slow, 10))
    expect([response.status, response.complete]).toEqual([503, true])
    await over
    expect(reason).toMatchObject({ code: 'TSGI_REQUEST_TIMEOUT' })
  })

  test('leaves the rest alone', async () => {
    const response = await requestInMemory(
      limitTime(
        saying(() => 'quick'),
        1000,
      ),
    )
    expect([response.status, response.text, headerOf(response.headers, 'Content-Length')]).toEqual([200, 'quick', '5'])
  })
})

test('the middleware in the box keeps the rules for middleware', async () => {
  const found: string[] = []
  const application: Application = (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return (async function* () {
      yield Buffer.from('a')
      yield Buffer.from('b')
    })()
  }
  for (const middleware of [
    (inner: Application) => requestId(inner),
    (inner: Application) => dispatch({ '/': inner }),
    (inner: Application) => errorPage(inner),
    (inner: Application) => limitBody(inner, 10),
    (inner: Application) => limitTime(inner, 1000),
    (inner: Application) => proxyFix(inner, { hops: 1, trust: ['for'] }),
    (inner: Application) => basicAuth(inner, { users: () => true }),
  ]) {
    const checked = validateMiddleware(middleware, { onViolation: (violation) => found.push(violation) })
    const response = await requestInMemory(checked(application), { headers: [['Authorization', 'Basic eDp4']] })
    expect(response.text).toBe('ab')
  }
  expect(found).toEqual([])
})
