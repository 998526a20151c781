import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { Application } from '../../src/application.ts'
import { answerInMemory, type MemoryRequest, requestInMemory } from '../../src/gateway/memory.ts'
import { asyncInterface } from '../../src/interfaces/async/interface.ts'
import { asyncApp, type Handlers, type HttpScope } from '../../src/interfaces/async/types.ts'
import { checkClosing } from '../../src/interfaces/async/websocket-handshake.ts'
import { fromAsync } from '../../src/interfaces/convert.ts'
import { toAsync } from '../../src/interfaces/to-async.ts'
import { limitBody } from '../../src/middleware/limits.ts'
import { fileWrapper } from '../../src/worker/file-wrapper.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const unexpected = (error: Error): never => {
  throw error
}

const ask = (http: NonNullable<Handlers['http']>, request: MemoryRequest = {}) =>
  answerInMemory(asyncInterface(asyncApp({ http })).handler, request)

describe('http', () => {
  test('a response in one piece is one write with its length', async () => {
    const response = await ask(async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 201, headers: [['x-a', '1']] })
      await send({ type: 'http.response.body', body: bytes('whole') })
    })
    expect(response.statusLine).toBe('201 Created')
    expect(response.headers).toEqual([
      ['x-a', '1'],
      ['Content-Length', '5'],
    ])
  })

  test('the scope says what the front server said', async () => {
    let seen: HttpScope | undefined
    await ask(
      async (scope, _receive, send) => {
        seen = scope
        await send({ type: 'http.response.start', status: 204 })
        await send({ type: 'http.response.body' })
      },
      {
        path: '/caf%C3%A9?q=%20',
        headers: [['X-Two-Words', 'v']],
        params: {
          REMOTE_PORT: '4711',
          SERVER_PROTOCOL: 'HTTP/2.0',
          HTTPS: 'on',
          SCRIPT_NAME: '/app',
          SERVER_PORT: '443',
        },
      },
    )
    expect(seen).toMatchObject({
      ...{ type: 'http', method: 'GET', scheme: 'https', httpVersion: '2', path: '/app/café', rootPath: '/app' },
      ...{ rawPath: '/caf%C3%A9', queryString: 'q=%20', headers: [['x-two-words', 'v']] },
      ...{ client: ['127.0.0.1', 4711], server: ['localhost', 443] },
    })
  })

  test('a path that is no UTF-8 is a 400', async () => {
    const response = await ask(async () => undefined, { params: { PATH_INFO: '/\xff' } })
    expect(response.status).toBe(400)
  })

  test('the body comes in messages; after it receive waits for the end of the response', async () => {
    let last: unknown
    const response = await ask(
      async (_scope, receive, send) => {
        let text = ''
        for (let more = true; more; ) {
          const message = await receive()
          if (message.type === 'http.disconnect') break
          text += Buffer.from(message.body).toString()
          more = message.moreBody
        }
        const disconnected = receive()
        await send({ type: 'http.response.start', status: 200 })
        await send({ type: 'http.response.body', body: bytes(text), moreBody: true })
        await send({ type: 'http.response.body' })
        last = await disconnected
      },
      { method: 'POST', body: 'payload' },
    )
    expect(response.text).toBe('payload')
    expect(last).toEqual({ type: 'http.disconnect' })
  })

  describe('a body that the client did not send as it should is a message, and no rejection,', () => {
    const tooLong = {
      method: 'POST',
      body: 'payload',
      params: { CONTENT_LENGTH: '', HTTP_TRANSFER_ENCODING: 'chunked' },
    }
    const limited = (http: NonNullable<Handlers['http']>) =>
      requestInMemory(limitBody(fromAsync(asyncApp({ http })), 3), tooLong)

    test('to whoever waits for the client to leave, beside the work', async () => {
      const told: string[] = []
      const response = await limited(async (_scope, receive, send) => {
        const gone = async (): Promise<void> => {
          for (;;) {
            const { type } = await receive()
            told.push(type)
            if (type === 'http.disconnect') return
          }
        }
        void gone()
        await new Promise((resolve) => setImmediate(resolve))
        await send({ type: 'http.response.start', status: 200 })
        await send({ type: 'http.response.body', body: bytes('worked') })
      })
      expect([response.text, told]).toEqual(['worked', ['http.disconnect']])
    })

    test('which the gateway answers where the application does not', async () => {
      const response = await limited(async (_scope, receive) => {
        expect(await receive()).toEqual({ type: 'http.disconnect' })
      })
      expect(response).toMatchObject({ status: 413, errors: [] })
    })

    test('and rejects where an application behind it reads it', async () => {
      const read: Application = async (environ, startResponse) => {
        const body = await environ['tsgi.input'].read()
        startResponse('200 OK', [])
        return [body]
      }
      const response = await requestInMemory(limitBody(fromAsync(toAsync(read)), 3), tooLong)
      expect(response).toMatchObject({ status: 400, errors: [] })
    })
  })

  test('a body that the gateway could not read is an error', async () => {
    const broken: Application = (environ, startResponse) => {
      const fails = async (): Promise<never> => {
        throw new Error('no key to decrypt it')
      }
      const input = { [Symbol.asyncIterator]: () => ({ next: fails }), read: fails, readline: fails, readlines: fails }
      return fromAsync(
        asyncApp({
          http: async (_scope, receive) => {
            await receive()
          },
        }),
      )(Object.assign(environ, { 'tsgi.input': input }), startResponse)
    }
    const response = await requestInMemory(broken, { method: 'POST', body: 'x' })
    expect(response).toMatchObject({ status: 500, errors: [{ message: 'no key to decrypt it' }] })
  })

  test('messages that are wrong or out of order reject', async () => {
    const problems: string[] = []
    const note = (error: unknown): void => void problems.push(String(error))
    const response = await ask(async (_scope, _receive, send) => {
      await send({ type: 'http.response.body' }).catch(note)
      await send({ type: 'websocket.accept' } as never).catch(note)
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.start', status: 200 }).catch(note)
      await send({ type: 'http.response.body', body: 'text' } as never).catch(note)
      await send({ type: 'http.response.body', body: bytes('x') })
      await send({ type: 'http.response.body', body: bytes('y') }).catch(note)
    })
    expect(response.text).toBe('x')
    expect(problems.length).toBe(5)
  })

  describe('a start that was refused', () => {
    const refused = { type: 'http.response.start', status: 200, headers: [['x-a', 'two\nlines']] } as const

    test('can be followed by the page that tells of it', async () => {
      const response = await ask(async (_scope, _receive, send) => {
        await expect(send(refused)).rejects.toMatchObject({ code: 'TSGI_APP_BAD_HEADER' })
        await send({ type: 'http.response.start', status: 500, headers: [['x-page', 'own']] })
        await send({ type: 'http.response.body', body: bytes('sorry') })
      })
      expect(response).toMatchObject({ status: 500, text: 'sorry', errors: [], complete: true })
      expect(response.headers).toContainEqual(['x-page', 'own'])
    })

    test('is told for what it is where the next is refused as well', async () => {
      const response = await ask(async (_scope, _receive, send) => {
        await send(refused).catch(() => send(refused))
      })
      expect(response).toMatchObject({ status: 500, errors: [{ code: 'TSGI_APP_BAD_HEADER' }] })
    })
  })

  test('a file that was refused is not the response yet', async () => {
    const http: Handlers['http'] = async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await expect(send({ type: 'http.response.file', path: 'x', start: -1 })).rejects.toThrow(RangeError)
      await send({ type: 'http.response.body', body: bytes('no such part') })
    }
    const app = fromAsync(asyncApp({ http }))
    const response = await requestInMemory(app, {}, { extensions: [['tsgi.file_wrapper', fileWrapper]] })
    expect(response).toMatchObject({ text: 'no such part', errors: [], warnings: [] })
  })

  test('returning too early is an error: 500 before the head, a broken response after it', async () => {
    expect((await ask(async () => undefined)).status).toBe(500)
    const broken = await ask(async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: bytes('part'), moreBody: true })
    })
    expect([broken.status, broken.complete]).toEqual([200, false])
  })

  test('send rejects with ClientDisconnected once the client has left', async () => {
    const leave = new AbortController()
    let reason: unknown
    await ask(
      async (_scope, receive, send) => {
        await receive()
        setImmediate(() => leave.abort())
        expect(await receive()).toEqual({ type: 'http.disconnect' })
        await send({ type: 'http.response.start', status: 200 }).catch((error: unknown) => {
          reason = error
        })
      },
      { signal: leave.signal },
    )
    await expect.poll(() => reason).toMatchObject({ code: 'TSGI_CLIENT_DISCONNECTED' })
  })

  test('send says so where something around the application has answered in its place', async () => {
    let heard: unknown
    const app = fromAsync(
      asyncApp({
        http: async (_scope, receive, send) => {
          await receive()
          expect(await receive()).toEqual({ type: 'http.disconnect' })
          heard = await send({ type: 'http.response.start', status: 200 }).catch((error: unknown) => error)
          throw heard
        },
      }),
    )
    const { text, warnings } = await requestInMemory((environ, startResponse) => {
      Promise.resolve(app(environ, startResponse)).catch(() => undefined)
      startResponse('200 OK', [])
      return [bytes('in its place')]
    })
    await expect.poll(() => heard).toMatchObject({ code: 'TSGI_APP_ENDED' })
    expect([text, warnings]).toEqual(['in its place', []])
  })

  describe('an application that throws after the client has left is done with its request, and', () => {
    const throwing = async (thrownFor: (signal: AbortSignal) => unknown) => {
      const leave = new AbortController()
      let returned: unknown
      const app = fromAsync(
        asyncApp({
          http: async ({ signal }, _receive, send) => {
            await send({ type: 'http.response.start', status: 200 })
            await send({ type: 'http.response.body', body: bytes('part'), moreBody: true })
            setImmediate(() => leave.abort())
            await once(signal, 'abort')
            throw thrownFor(signal)
          },
        }),
      )
      const seen: Application = (environ, startResponse) => {
        const body = app(environ, startResponse)
        returned = body
        return body
      }
      const { warnings } = await requestInMemory(seen, { signal: leave.signal })
      const settled = await Promise.resolve(returned).catch((error: unknown) => error)
      return { settled, warnings: warnings.join() }
    }

    test.each<[string, (signal: AbortSignal) => unknown]>([
      ['the reason', ({ reason }) => reason],
      ['an error that has the reason as its cause', ({ reason }) => new Error('wrapped', { cause: reason })],
      ['an AbortError', () => new DOMException('aborted', 'AbortError')],
    ])('%s is not logged', async (_name, thrownFor) => {
      expect(await throwing(thrownFor)).toMatchObject({ settled: expect.any(Error), warnings: '' })
    })

    test('any other error is', async () => {
      const error = new TypeError('a mistake')
      expect(await throwing(() => error)).toEqual({ settled: error, warnings: expect.stringContaining('a mistake') })
    })
  })

  test('what fails after the response is logged and changes nothing', async () => {
    const response = await ask(async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: bytes('done') })
      throw new Error('afterwards')
    })
    expect([response.text, response.complete, response.errors]).toEqual(['done', true, []])
    expect(response.warnings.join()).toContain('afterwards')
  })
})

describe('lifespan', () => {
  const http: Handlers['http'] = async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: bytes(String(scope.state['name'])) })
  }

  test('runs from startup to shutdown, and its state reaches every request', async () => {
    const seen: string[] = []
    const app = asyncInterface(
      asyncApp({
        http,
        lifespan: async (scope, receive, send) => {
          seen.push((await receive()).type)
          scope.state['name'] = 'stored'
          await send({ type: 'lifespan.startup.complete' })
          seen.push((await receive()).type)
          await send({ type: 'lifespan.shutdown.complete' })
        },
      }),
    )
    await app.startup(unexpected)
    expect((await answerInMemory(app.handler)).text).toBe('stored')
    await app.shutdown()
    expect(seen).toEqual(['lifespan.startup', 'lifespan.shutdown'])
  })

  test('an application without it starts', async () => {
    const app = asyncInterface(asyncApp({ http }))
    await app.startup(unexpected)
    await app.shutdown()
  })

  test('a startup that fails or throws is a failed boot', async () => {
    const failing = asyncApp({
      lifespan: async (_scope, receive, send) => {
        await receive()
        await send({ type: 'lifespan.startup.failed', message: 'no database' })
      },
    })
    await expect(asyncInterface(failing).startup(unexpected)).rejects.toThrow(/no database/)
    const throwing = asyncApp({
      lifespan: async () => {
        throw new Error('thrown')
      },
    })
    await expect(asyncInterface(throwing).startup(unexpected)).rejects.toThrow('thrown')
  })

  test('one that ends with an error while requests are served is told, and has no shutdown', async () => {
    let fail = (): void => undefined
    const broken = new Promise<void>((resolve) => {
      fail = resolve
    })
    const app = asyncInterface(
      asyncApp({
        http,
        lifespan: async (scope, receive, send) => {
          await receive()
          scope.state['name'] = 'stored'
          await send({ type: 'lifespan.startup.complete' })
          await broken
          throw new Error('the job of the lifespan died')
        },
      }),
    )
    const told = new Promise<Error>((resolve) => {
      void app.startup(resolve)
    })
    fail()
    expect((await told).message).toBe('the job of the lifespan died')
    expect((await answerInMemory(app.handler)).text).toBe('stored')
    await app.shutdown()
  })
})

test('a WebSocket on a connection that cannot be handed over is a 501', async () => {
  const response = await answerInMemory(asyncInterface(asyncApp({})).handler, {
    headers: [
      ['Connection', 'keep-alive, Upgrade'],
      ['Upgrade', 'websocket'],
    ],
  })
  expect(response.status).toBe(501)
})

describe('a websocket.close is looked at when it is sent, whatever has to be waited for before the frame goes out:', () => {
  test.each([
    [1000, 'done'],
    [1014, ''],
    [3000, 'é'.repeat(61)],
    [4999, ''],
  ])('%j %j is one', (code, reason) => {
    expect(checkClosing(code, reason)).toEqual([code, reason])
  })

  test.each([
    [999, ''],
    [1004, ''],
    [1005, ''],
    [1006, ''],
    [1015, ''],
    [2999, ''],
    [5000, ''],
    [1000.5, ''],
    ['1000', ''],
    [1000, 5],
  ])('%j %j is none', (code, reason) => {
    expect(() => checkClosing(code, reason)).toThrow(TypeError)
  })

  test('nor is one whose reason has no room in the frame', () => {
    expect(() => checkClosing(1000, 'é'.repeat(62))).toThrow(RangeError)
  })
})
