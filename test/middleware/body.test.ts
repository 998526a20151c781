import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { Application, Body } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { closeBody, mapBody, tapBody } from '../../src/middleware/body.ts'
import { copyEnviron } from '../../src/middleware/copy-environ.ts'
import { headerOf, onHead, withoutHeaders } from '../../src/middleware/head.ts'
import { lines } from '../../src/middleware/lines.ts'
import { status } from '../../src/middleware/status.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const upper = (chunk: Uint8Array): Uint8Array => Buffer.from(Buffer.from(chunk).toString().toUpperCase())
const answering =
  (body: () => Body): Application =>
  (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return body()
  }

describe('mapBody', () => {
  const bodies: [string, () => Body][] = [
    ['an array', () => [bytes('a'), bytes('b')]],
    [
      'a generator',
      function* () {
        yield bytes('a')
        yield bytes('b')
      },
    ],
    [
      'an async generator',
      async function* () {
        yield bytes('a')
        yield bytes('b')
      },
    ],
    ['a stream', () => Readable.from([bytes('a'), bytes('b')])],
  ]
  test.each(bodies)('changes every chunk of %s', async (_name, body) => {
    const response = await requestInMemory(answering(() => mapBody(body(), upper)))
    expect(response.text).toBe('AB')
    expect(response.complete).toBe(true)
  })

  test('an array stays one, so that its Content-Length is still known', async () => {
    const response = await requestInMemory(answering(() => mapBody([bytes('a'), bytes('bc')], upper)))
    expect(headerOf(response.headers, 'content-length')).toBe('3')
  })

  test('asks for one chunk for each that it is asked for', () => {
    let pulled = 0
    const counting = {
      *[Symbol.iterator]() {
        for (;;) {
          pulled += 1
          yield bytes('x')
        }
      },
    }
    const body = mapBody(counting, upper)
    if (!(Symbol.iterator in body)) throw new Error('a sync body became an async one')
    const iterator = body[Symbol.iterator]()
    expect(pulled).toBe(0)
    iterator.next()
    iterator.next()
    expect(pulled).toBe(2)
  })

  test.each(['read', 'left early', 'never read'])('closes the inner body once when it was %s', async (how) => {
    const said: string[] = []
    const inner = {
      async *[Symbol.asyncIterator]() {
        try {
          yield bytes('a')
          yield bytes('b')
        } finally {
          said.push('finally')
        }
      },
      close: () => said.push('close'),
    }
    const method = how === 'read' ? 'GET' : 'HEAD'
    const body = mapBody(inner, upper)
    if (how === 'never read') await closeBody(body)
    else
      await requestInMemory(
        answering(() => body),
        { method },
      )
    expect(said).toEqual(how === 'never read' ? ['close'] : ['finally', 'close'])
  })

  test('a stream that was never read is destroyed', async () => {
    const stream = Readable.from([bytes('a')])
    await closeBody(mapBody(stream, upper))
    expect(stream.destroyed).toBe(true)
  })
})

test('closeBody throws what the closing threw', async () => {
  const body = {
    *[Symbol.iterator]() {
      yield bytes('a')
    },
    close() {
      throw new Error('stuck')
    },
  }
  await expect(closeBody(body)).rejects.toThrow('stuck')
})

test('tapBody sees each chunk and the end, and changes nothing', async () => {
  const seen: string[] = []
  const observer = {
    chunk: (chunk: Uint8Array) => seen.push(Buffer.from(chunk).toString()),
    end: () => seen.push('end'),
  }
  function* generated() {
    yield bytes('a')
    yield bytes('b')
  }
  const response = await requestInMemory(answering(() => tapBody(generated(), observer)))
  expect(response.text).toBe('ab')
  expect(seen).toEqual(['a', 'b', 'end'])
  const array = [bytes('c')]
  expect(tapBody(array, observer)).toBe(array)
  expect(seen).toEqual(['a', 'b', 'end', 'c', 'end'])
})

describe('onHead', () => {
  test('changes status and headers', async () => {
    const application = onHead(
      answering(() => [bytes('x')]),
      ({ headers }) => ({
        status: status(418),
        headers: [...withoutHeaders(headers, 'content-type'), ['X-Seen', 'yes']],
      }),
    )
    const response = await requestInMemory(application)
    expect(response.statusLine).toBe("418 I'm a Teapot")
    expect(headerOf(response.headers, 'Content-Type')).toBeUndefined()
    expect(headerOf(response.headers, 'x-seen')).toBe('yes')
  })

  test('passes excInfo on only where it was given', async () => {
    const counts: number[] = []
    const inner: Application = (_environ, startResponse) => {
      startResponse('200 OK', [])
      startResponse('500 Oops', [], null)
      return []
    }
    const application: Application = (environ, startResponse) =>
      onHead(inner, (head) => head)(environ, (...args) => {
        counts.push(args.length)
        return startResponse(...args)
      })
    const response = await requestInMemory(application)
    expect(counts).toEqual([2, 3])
    expect(response.statusLine).toBe('500 Oops')
  })
})

describe('copyEnviron', () => {
  test('copies every key, and what is changed in the copy stays there', async () => {
    const application: Application = (environ, startResponse) => {
      const copy = copyEnviron(environ)
      expect(Object.keys(copy).sort()).toEqual(Object.keys(environ).sort())
      expect(Object.getPrototypeOf(copy)).toBeNull()
      copy.PATH_INFO = '/other'
      expect(environ.PATH_INFO).toBe('/')
      expect(copy['tsgi.signal']).toBe(environ['tsgi.signal'])
      const { signal } = new AbortController()
      copy['tsgi.signal'] = signal
      expect(copy['tsgi.signal']).toBe(signal)
      expect(environ['tsgi.signal']).not.toBe(signal)
      startResponse('200 OK', [])
      return []
    }
    expect((await requestInMemory(application)).errors).toEqual([])
  })
})

test('lines gives the lines of a request body', async () => {
  const seen: string[] = []
  const application: Application = async (environ, startResponse) => {
    for await (const line of lines(environ['tsgi.input'])) seen.push(Buffer.from(line).toString())
    startResponse('204 No Content', [])
    return []
  }
  await requestInMemory(application, { method: 'POST', body: 'a\n\nb' })
  expect(seen).toEqual(['a\n', '\n', 'b'])
})

test('status refuses what is none', () => {
  expect(status(200)).toBe('200 OK')
  expect(status(599)).toBe('599 Unknown')
  expect(status(200, 'Fine')).toBe('200 Fine')
  expect(() => status(101)).toThrow(RangeError)
  expect(() => status(200.5)).toThrow(RangeError)
})
