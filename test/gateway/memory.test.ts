/** Requests without a socket: what tests of applications and middleware stand on. */

import { expect, test } from 'vitest'
import type { Application } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

const echo: Application = async (environ, startResponse) => {
  startResponse('201 Made', [['X-Method', environ.REQUEST_METHOD]])
  const target = Buffer.from(`${environ.PATH_INFO}?${environ.QUERY_STRING} `, 'latin1')
  return [target, await environ['tsgi.input'].read()]
}

test('a request goes in, a response comes out', async () => {
  const response = await requestInMemory(echo, { method: 'PUT', path: '/caf%C3%A9?a=b%20c', body: 'body' })
  expect(response).toMatchObject({
    status: 201,
    statusLine: '201 Made',
    headers: [
      ['X-Method', 'PUT'],
      ['Content-Length', '19'],
    ],
    complete: true,
    errors: [],
    warnings: [],
    outcome: { status: 201, bytes: 19, aborted: false },
  })
  expect(Buffer.from(response.body).toString('latin1')).toBe('/caf\xc3\xa9?a=b%20c body')
})

test('a path may be written as text', async () => {
  const { text } = await requestInMemory(echo, { path: '/café' })
  expect(text).toBe('/café? ')
})

test('a path that is no UTF-8 keeps its bytes', async () => {
  const { body } = await requestInMemory(echo, { path: '/%80%FF' })
  expect(Buffer.from(body).toString('latin1')).toBe('/\x80\xff? ')
})

test('what fails is told: errors, warnings, lines, and a response that is not complete', async () => {
  const failing: Application = (environ, startResponse) => {
    environ['tsgi.errors'].write('a line\nand a rest')
    startResponse('200 OK', [])
    return (function* body() {
      yield encode('begun')
      throw new Error('midway')
    })()
  }
  const response = await requestInMemory(failing)
  expect(response).toMatchObject({ status: 200, text: 'begun', complete: false, errorLines: ['a line', 'and a rest'] })
  expect(response.errors).toEqual([new Error('midway')])
  expect(response.outcome).toMatchObject({ aborted: true })
})

test('lines that are written at once are one entry of the log, a stack too', async () => {
  const logging: Application = (environ, startResponse) => {
    environ['tsgi.errors'].write('begun ')
    environ['tsgi.errors'].write('here\n')
    environ['tsgi.errors'].write('Error: lost\n    at shop.ts:1:1\n')
    startResponse('200 OK', [])
    return []
  }
  const { errorLines } = await requestInMemory(logging)
  expect(errorLines).toEqual(['begun here', 'Error: lost\n    at shop.ts:1:1'])
})

test('a client that leaves aborts the request', async () => {
  const leaving = new AbortController()
  const waiting: Application = async (environ, startResponse) => {
    startResponse('200 OK', [])
    const signal = environ['tsgi.signal']
    const gone = new Promise((resolve) => signal.addEventListener('abort', resolve))
    leaving.abort()
    await gone
    return []
  }
  const { outcome, errors } = await requestInMemory(waiting, { signal: leaving.signal })
  expect(outcome).toMatchObject({ status: 0, aborted: true, error: { code: 'TSGI_CLIENT_DISCONNECTED' } })
  expect(errors).toEqual([])
})

test('an async body that never waits for anything still lets the rest of the process have its turns', async () => {
  const MOST = 200_000
  let pulled = 0
  let turned = false
  setImmediate(() => {
    turned = true
  })
  await requestInMemory((_environ, startResponse) => {
    startResponse('200 OK', [])
    return (async function* () {
      while (!turned && pulled < MOST) {
        pulled += 1
        yield new Uint8Array(0)
      }
    })()
  })
  expect(pulled).toBeLessThan(MOST)
})
