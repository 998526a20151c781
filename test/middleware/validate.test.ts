import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Application, Body, Environ, Middleware, StartResponse } from '../../src/application.ts'
import { type MemoryRequest, requestInMemory } from '../../src/gateway/memory.ts'
import { mapBody } from '../../src/middleware/body.ts'
import { headerOf } from '../../src/middleware/head.ts'
import { validate } from '../../src/middleware/validate.ts'
import { validateMiddleware } from '../../src/middleware/validate-middleware.ts'
import { fileWrapper } from '../../src/worker/file-wrapper.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const PLAIN = [['Content-Type', 'text/plain']] as const
const sound: Application = (_environ, startResponse) => {
  startResponse('200 OK', PLAIN)
  return [bytes('fine')]
}

/** What was found while the application answered. */
async function violationsOf(application: Application, request: MemoryRequest = {}): Promise<string[]> {
  const found: string[] = []
  await requestInMemory(validate(application, { onViolation: (violation) => found.push(violation) }), request)
  return found
}

/** An application that no type checker would let pass. */
const wrong = (application: (environ: Environ, startResponse: StartResponse) => unknown): Application =>
  application as Application

describe('a sound application passes and is not changed', () => {
  test('an array keeps its Content-Length', async () => {
    const response = await requestInMemory(validate(sound))
    expect(headerOf(response.headers, 'Content-Length')).toBe('4')
    expect(response.text).toBe('fine')
    expect(response.errors).toEqual([])
    expect(response.errorLines).toEqual([])
  })

  const bodies: [string, (environ: Environ) => Body | Promise<Body>][] = [
    ['a promise', async () => [bytes('fine')]],
    [
      'a generator',
      function* () {
        yield bytes('fi')
        yield bytes('')
        yield bytes('ne')
      },
    ],
    [
      'an async generator',
      async function* () {
        yield bytes('fine')
      },
    ],
    ['a stream', () => Readable.from([bytes('fine')])],
    ['an echo', (environ) => environ['tsgi.input']],
    ['read', async (environ) => [await environ['tsgi.input'].read(4)]],
    ['readline', async (environ) => [await environ['tsgi.input'].readline()]],
    ['readlines', async (environ) => environ['tsgi.input'].readlines()],
  ]
  test.each(bodies)('%s', async (_name, body) => {
    const application: Application = (environ, startResponse) => {
      startResponse('200 OK', PLAIN)
      return body(environ)
    }
    const response = await requestInMemory(validate(validate(application)), { method: 'POST', body: 'fine' })
    expect(response.text).toBe('fine')
    expect(response.errors).toEqual([])
    expect(response.errorLines).toEqual([])
  })

  test('a file body stays the very object', async () => {
    let made: unknown
    const application: Application = (environ, startResponse) => {
      startResponse('200 OK', PLAIN)
      const body = environ['tsgi.file_wrapper']?.({ path: import.meta.filename }) ?? []
      made = body
      return body
    }
    const files: unknown[] = []
    const fileSize = (body: unknown) => {
      files.push(body)
      return undefined
    }
    const extensions = [['tsgi.file_wrapper', fileWrapper]] as const
    const response = await requestInMemory(validate(application), {}, { extensions, fileSize })
    expect(files).toEqual([made])
    expect(response.text).toContain('a file body stays the very object')
  })

  test('what startResponse stored is replaced with excInfo', async () => {
    const application: Application = (_environ, startResponse) => {
      startResponse('200 OK', PLAIN)
      startResponse('500 Oops', PLAIN, new Error('x'))
      return [bytes('x')]
    }
    expect(await violationsOf(application)).toEqual([])
  })

  test('an application may answer HEAD as it answers GET', async () => {
    expect(await violationsOf(sound, { method: 'HEAD' })).toEqual([])
  })
})

describe('what an application gets wrong is told', () => {
  const cases: [string, Application, RegExp, MemoryRequest?][] = [
    [
      'a status without a reason',
      wrong((_e, start) => [start('200' as '200 OK', PLAIN)].slice(1)),
      /three digits from 200/,
    ],
    ['a status with a line break', (_e, start) => ([start('200 OK\r\nX: 1', PLAIN)].length ? [] : []), /three digits/],
    [
      'a header object',
      wrong((_e, start) => [start('200 OK', {} as [])].slice(1)),
      /must be an array of \[name, value\]/,
    ],
    ['a header with U+010A', (_e, start) => ([start('200 OK', [['X', '\u010a']])].length ? [] : []), /beyond U\+00FF/],
    [
      'a hop-by-hop header',
      (_e, start) => ([start('200 OK', [['Connection', 'close']])].length ? [] : []),
      /belongs to the gateway/,
    ],
    ['a missing startResponse, with a body', () => [bytes('x')], /before startResponse was called/],
    ['a missing startResponse, without one', () => [], /never called/],
    [
      'a string',
      wrong((_e, start) => {
        start('200 OK', PLAIN)
        return 'text'
      }),
      /returned "text", not an iterable/,
    ],
    [
      'bytes',
      wrong((_e, start) => {
        start('200 OK', PLAIN)
        return bytes('x')
      }),
      /returned an instance of Uint8Array/,
    ],
    ['nothing', wrong((_e, start) => void start('200 OK', PLAIN)), /returned undefined/],
    [
      'an object',
      wrong((_e, start) => {
        start('200 OK', PLAIN)
        return {}
      }),
      /which is not iterable/,
    ],
    [
      'a chunk that is a string',
      wrong((_e, start) => {
        start('200 OK', PLAIN)
        return ['x']
      }),
      /a chunk is "x", not a Uint8Array/,
    ],
    [
      'a generator of promises',
      wrong((_e, start) => {
        start('200 OK', PLAIN)
        return (function* () {
          yield Promise.resolve(bytes('x'))
        })()
      }),
      /for values that must be waited for there are async generators/,
    ],
    [
      'a second startResponse',
      (_e, start) => {
        start('200 OK', PLAIN)
        start('200 OK', PLAIN)
        return []
      },
      /again without excInfo/,
    ],
    [
      'a second startResponse after one that failed',
      (_e, start) => {
        try {
          start('200 OK', [['bad name', '']])
        } catch {
          start('500 Oops', PLAIN)
        }
        return []
      },
      /again without excInfo; the first call counts even if it failed/,
    ],
    [
      'a body shorter than its Content-Length',
      (_e, start) => {
        start('200 OK', [...PLAIN, ['Content-Length', '9']])
        return [bytes('x')]
      },
      /after 1 of the 9 bytes/,
    ],
    [
      'a body longer than its Content-Length',
      (_e, start) => {
        start('200 OK', [...PLAIN, ['Content-Length', '0']])
        return [bytes('x')]
      },
      /longer than its Content-Length of 0/,
    ],
    [
      'a body with 204',
      (_e, start) => {
        start('204 No Content', [])
        return [bytes('x')]
      },
      /status 204 has no body/,
    ],
    [
      'a body with 304',
      (_e, start) => {
        start('304 Not Modified', [])
        return [bytes('x')]
      },
      /status 304 has no body/,
    ],
    [
      'no Content-Type',
      (_e, start) => {
        start('200 OK', [])
        return [bytes('x')]
      },
      /without a Content-Type .* \(warning\)/,
    ],
    [
      'a Content-Type with 204',
      (_e, start) => {
        start('204 No Content', PLAIN)
        return []
      },
      /Content-Type with status 204.*warning/,
    ],
    [
      'a huge head',
      (_e, start) => {
        start('200 OK', [['X', 'y'.repeat(9000)]])
        return []
      },
      /the head has \d+ bytes/,
    ],
    [
      'a write in the body',
      (_e, start) => {
        const write = start('200 OK', PLAIN)
        return (async function* () {
          await write(bytes('x'))
          yield bytes('y')
        })()
      },
      /write was called after the body was returned/,
    ],
    [
      'a written string',
      wrong((_e, start) => {
        start('200 OK', PLAIN)('x' as unknown as Uint8Array)
        return []
      }),
      /write takes a Uint8Array, not "x"/,
    ],
    [
      'a trapped excInfo',
      async (_e, start) => {
        await start('200 OK', PLAIN)(bytes('x'))
        try {
          start('500 Oops', PLAIN, new Error('late'))
        } catch {
          return [bytes('more')]
        }
        return []
      },
      /it was trapped/,
    ],
    [
      'a header list changed later',
      (_e, start) => {
        const headers: [string, string][] = [['Content-Type', 'text/plain']]
        start('200 OK', headers)
        headers.push(['X', 'late'])
        return [bytes('x')]
      },
      /the header list was changed/,
    ],
    [
      'a chunk changed after it was yielded',
      (_e, start) => {
        start('200 OK', PLAIN)
        return (function* () {
          const chunk = bytes('first')
          yield chunk
          chunk.fill(0)
          yield bytes('second')
        })()
      },
      /a chunk was changed/,
    ],
    [
      'a negative size',
      async (e, start) => {
        start('200 OK', PLAIN)
        return [await e['tsgi.input'].read(-1)]
      },
      /a whole number of bytes from 0, not -1/,
    ],
    [
      'too many arguments',
      wrong(async (e, start) => {
        start('200 OK', PLAIN)
        return [await Reflect.apply(e['tsgi.input'].read, e, [1, 2])]
      }),
      /one argument at most, not 2/,
    ],
    [
      'a body that is read, and not waited for',
      (e, start) => {
        start('200 OK', PLAIN)
        void e['tsgi.input'].readline()
        return []
      },
      /nobody waited for what tsgi\.input\.readline gives \(warning\)/,
    ],
    [
      'an error line that is no string',
      wrong((e, start) => {
        start('200 OK', PLAIN)
        Reflect.apply(e['tsgi.errors'].write, e, [1])
        return []
      }),
      /write takes strings, not 1/,
    ],
  ]
  test.each(cases)('%s', async (_name, application, expected, request) => {
    expect((await violationsOf(application, request)).join('\n')).toMatch(expected)
  })

  test('by default a violation is thrown where it happens', async () => {
    const response = await requestInMemory(
      validate((_environ, startResponse) => {
        startResponse('200 OK', [])
        startResponse('200 OK', [])
        return []
      }),
    )
    expect(response.status).toBe(500)
    expect(response.errors).toEqual([expect.objectContaining({ code: 'TSGI_APP_INVALID' })])
  })

  test('log writes it to tsgi.errors and lets the response go', async () => {
    const response = await requestInMemory(
      validate(
        (_e, start) => {
          start('204 No Content', [])
          return [bytes('x')]
        },
        { onViolation: 'log' },
      ),
    )
    expect(response.status).toBe(204)
    expect(response.errorLines).toEqual(['validate: a response with status 204 has no body'])
  })
})

describe('what a server gets wrong is told', () => {
  async function faultsWith(change: (environ: Record<string, unknown>) => void): Promise<string> {
    const found: string[] = []
    const checked = validate(sound, { onViolation: (violation) => found.push(violation) })
    const server: Application = (environ, startResponse) => {
      // A server's fault: whatever keys with whatever values.
      change(environ as unknown as Record<string, unknown>)
      return checked(environ, startResponse)
    }
    await requestInMemory(server)
    return found.join('\n')
  }

  test.each<[string, (environ: Record<string, unknown>) => void, RegExp]>([
    ['a missing variable', (environ) => delete environ['SERVER_NAME'], /SERVER_NAME is missing/],
    ['an empty one', (environ) => (environ['SERVER_PORT'] = ''), /SERVER_PORT is empty/],
    ['a number', (environ) => (environ['SERVER_PORT'] = 80), /SERVER_PORT is 80, not a string/],
    ['text', (environ) => (environ['HTTP_X'] = '日本'), /HTTP_X has a character beyond U\+00FF/],
    ['HTTP_PROXY', (environ) => (environ['HTTP_PROXY'] = 'x'), /HTTP_PROXY must not be there/],
    ['a bad CONTENT_LENGTH', (environ) => (environ['CONTENT_LENGTH'] = '+5'), /CONTENT_LENGTH "\+5" is no number/],
    ['a bad method', (environ) => (environ['REQUEST_METHOD'] = 'GE T'), /is no token/],
    ['a SCRIPT_NAME of /', (environ) => (environ['SCRIPT_NAME'] = '/'), /ends with a slash/],
    ['no path at all', (environ) => (environ['PATH_INFO'] = ''), /PATH_INFO is empty and so is SCRIPT_NAME/],
    ['a relative path', (environ) => (environ['PATH_INFO'] = 'x'), /does not start with a slash/],
    [
      'another version',
      (environ) => (environ['tsgi.version'] = [2, 0]),
      /tsgi\.version is an array of 2, not \[1, 0\]/,
    ],
    ['a key of its own under tsgi.', (environ) => (environ['tsgi.mine'] = 1), /tsgi\.mine is no key of the interface/],
    ['a scheme', (environ) => (environ['tsgi.url_scheme'] = 'ftp'), /not 'http' or 'https'/],
  ])('%s', async (_name, change, expected) => {
    expect(await faultsWith(change)).toMatch(expected)
  })

  test('asking for more than there is, and not closing', async () => {
    const found: string[] = []
    let after: (() => unknown) | undefined
    const checked = validate(
      (_environ, startResponse) => {
        startResponse('200 OK', PLAIN)
        return (function* () {
          yield bytes('x')
        })()
      },
      { onViolation: (violation) => found.push(violation) },
    )
    const server: Application = async (environ, startResponse) => {
      const given = Object.assign(Object.create(null), environ, {
        'tsgi.after': (callback: () => unknown) => {
          after = callback
        },
      })
      const body = await checked(given, startResponse)
      if (!(Symbol.iterator in body)) throw new Error('a sync body became an async one')
      const iterator = body[Symbol.iterator]()
      while (iterator.next().done !== true);
      iterator.next()
      return []
    }
    await requestInMemory(server)
    after?.()
    expect(found).toEqual(['the body was asked for a chunk after its end', 'the server did not close the body'])
  })
})

test('an application that goes on after its request was given up is told, one that ends is not', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const violationsOf = async (application: Application): Promise<string[]> => {
    const found: string[] = []
    const leave = new AbortController()
    const checked = validate(application, { onViolation: (violation) => found.push(violation) })
    const answered = requestInMemory(checked, { signal: leave.signal })
    leave.abort()
    await answered
    vi.advanceTimersByTime(1001)
    return found
  }
  expect(await violationsOf(() => new Promise(() => undefined))).toEqual([
    expect.stringMatching(/^the application runs on/),
  ])
  const ending: Application = (environ) =>
    new Promise((_resolve, reject) => {
      const { 'tsgi.signal': signal } = environ
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  expect(await violationsOf(ending)).toEqual([])
})

describe('what a middleware gets wrong is told', () => {
  async function faultsOf(middleware: Middleware, application: Application = streaming): Promise<string> {
    const found: string[] = []
    const checked = validateMiddleware(middleware, { onViolation: (violation) => found.push(violation) })
    await requestInMemory(checked(application))
    return found.join('\n')
  }
  const streaming: Application = (_environ, startResponse) => {
    startResponse('200 OK', PLAIN)
    return (function* () {
      yield bytes('a')
      yield bytes('b')
    })()
  }

  test('one that keeps the rules passes', async () => {
    const sane: Middleware = (application) => async (environ, startResponse) =>
      mapBody(await application(environ, startResponse), (chunk) => chunk)
    expect(await faultsOf(sane)).toBe('')
    expect(await faultsOf((application) => application)).toBe('')
  })

  test('one that reads ahead', async () => {
    const greedy: Middleware = (application) => async (environ, startResponse) => {
      const chunks: Uint8Array[] = []
      for await (const chunk of await application(environ, startResponse)) chunks.push(chunk)
      return chunks
    }
    expect(await faultsOf(greedy)).toMatch(/asked for 1 chunks when the middleware had been asked for 0/)
  })

  test('one that leaves the body open', async () => {
    const careless: Middleware = (application) => async (environ, startResponse) => {
      await application(environ, startResponse)
      return [bytes('mine')]
    }
    expect(await faultsOf(careless)).toMatch(/did not close the body of the application/)
  })

  test('one that swallows excInfo', async () => {
    const deaf: Middleware = (application) => (environ, startResponse) => {
      let started: ReturnType<StartResponse> | undefined
      return application(environ, (status, headers) => (started ??= startResponse(status, headers)))
    }
    const failing: Application = (_environ, startResponse) => {
      startResponse('200 OK', PLAIN)
      startResponse('500 Oops', PLAIN, new Error('x'))
      return [bytes('x')]
    }
    expect(await faultsOf(deaf, failing)).toMatch(/swallowed an excInfo/)
  })

  test('one that takes variables away', async () => {
    const poor: Middleware = (application) => (environ, startResponse) => {
      const copy: Environ = Object.assign(Object.create(null), environ)
      delete copy['REMOTE_ADDR']
      return application(copy, startResponse)
    }
    expect(await faultsOf(poor)).toMatch(/took away REMOTE_ADDR/)
  })
})
