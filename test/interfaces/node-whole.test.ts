/** What the short way of a Node response that is complete in one piece must have in common with the long one. */

import http from 'node:http'
import net from 'node:net'
import { finished, Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { answerInMemory } from '../../src/gateway/memory.ts'
import type { NodeListener } from '../../src/interfaces/marks.ts'
import { Later } from '../../src/interfaces/node/later.ts'
import { handlerOfServer } from '../../src/interfaces/node/listener.ts'

const ask = (listener: NodeListener, request = {}) =>
  answerInMemory(handlerOfServer(http.createServer(listener)), request)

test('writeHead that was replaced on the response still sees the head', async () => {
  const response = await ask((_request, reply) => {
    const { writeHead } = reply
    reply.writeHead = (status: number) => {
      reply.setHeader('X-Late', String(status))
      return writeHead.call(reply, status)
    }
    reply.end('whole')
  })
  expect(response.headers).toEqual([
    ['X-Late', '200'],
    ['Content-Length', '5'],
  ])
})

test('end that was replaced in the prototype runs', async () => {
  const { prototype } = http.ServerResponse
  const end: unknown = Object.getOwnPropertyDescriptor(prototype, 'end')?.value
  onTestFinished(() => void Reflect.deleteProperty(prototype, 'end'))
  expect(end).toBeUndefined() // it is inherited, so deleting it restores it
  const native = http.OutgoingMessage.prototype.end
  let calls = 0
  Object.defineProperty(prototype, 'end', {
    configurable: true,
    writable: true,
    value(this: http.ServerResponse, chunk: unknown) {
      calls++
      return native.call(this, `[${chunk}]`, 'utf8')
    },
  })
  const response = await ask((_request, reply) => reply.end('body'))
  expect(response.text).toBe('[body]')
  expect(calls).toBe(1)
})

test('headers are set, read, replaced, removed and refused as by node:http, the first time and later', async () => {
  const codeOf = (attempt: () => unknown): unknown => {
    try {
      attempt()
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error
    }
    return undefined
  }
  const facts = (reply: http.ServerResponse): unknown[] => [
    reply.setHeader('X-One', 'a') === reply,
    reply.setHeader('X-Two', ['b', 'c']).setHeader('X-Three', 7).setHeader('x-one', 'again').getHeaders(),
    reply.hasHeader('constructor'),
    reply.getHeader('X-ONE'),
    codeOf(() => reply.setHeader('X-One', 'line\nbreak')),
    codeOf(() => reply.setHeader('X-One', '\u0100')),
    codeOf(() => reply.setHeader('X One', 'a')),
    codeOf(() => Reflect.apply(reply.setHeader, reply, ['X-One', undefined])),
    codeOf(() => Reflect.apply(reply.setHeader, reply, [7, 'a'])),
    reply.removeHeader('X-Two'),
    reply.getHeaderNames(),
    reply.flushHeaders(),
    codeOf(() => reply.setHeader('X-One', 'late')),
  ]
  const native = new http.ServerResponse(new http.IncomingMessage(new net.Socket()))
  const expected = facts(native)
  for (const round of ['first', 'later']) {
    const seen: unknown[] = [round]
    await ask((_request, reply) => {
      seen.push(...facts(reply))
      reply.end()
    })
    expect(seen).toEqual([round, ...expected])
  }
})

test.each([
  ['text', (reply: http.ServerResponse) => reply.end('käse')],
  ['text in another encoding', (reply: http.ServerResponse) => reply.end('6bc3a47365', 'hex')],
  ['bytes', (reply: http.ServerResponse) => reply.end(new TextEncoder().encode('käse'))],
  ['text and a callback', (reply: http.ServerResponse) => reply.end('käse', () => undefined)],
])('%s is sent with its length in bytes', async (_name, answer) => {
  const response = await ask((_request, reply) => answer(reply))
  expect(response.body.toString()).toBe('käse')
  expect(response.headers).toEqual([['Content-Length', '5']])
})

test('no body and its length are sent to HEAD, and none with a 204', async () => {
  const head = await ask((_request, reply) => reply.end('käse'), { method: 'HEAD' })
  expect(head.body.length).toBe(0)
  const empty = await ask((_request, reply) => {
    reply.statusCode = 204
    reply.end('käse')
  })
  expect(empty.statusLine).toBe('204 No Content')
  expect(empty.body.length).toBe(0)
})

test('a reason of its own, or none that is known, is kept', async () => {
  const own = await ask((_request, reply) => {
    reply.statusMessage = 'Very Well'
    reply.end()
  })
  expect(own.statusLine).toBe('200 Very Well')
  const unknown = await ask((_request, reply) => {
    reply.statusCode = 299
    reply.end()
  })
  expect(unknown.statusLine).toBe('299 unknown')
})

test('a chunk that is none throws, and the answer is a 500', async () => {
  const response = await ask((_request, reply) => {
    const end: (chunk: unknown) => unknown = reply.end.bind(reply)
    end(7)
  })
  expect(response.statusLine).toBe('500 Internal Server Error')
  expect(String(response.errors)).toContain('ERR_INVALID_ARG_TYPE')
})

test('what was held back by cork goes out before the end', async () => {
  const response = await ask((_request, reply) => {
    reply.cork()
    reply.write('a')
    reply.end('b')
  })
  expect(response.text).toBe('ab')
})

test('the state after end is that of a finished response, whoever listens', async () => {
  const states: unknown[] = []
  const state = (reply: http.ServerResponse) =>
    states.push([reply.headersSent, reply.writableEnded, reply.writableFinished, reply.destroyed])
  await ask((_request, reply) => {
    reply.end('whole')
    setImmediate(() => state(reply))
  })
  await expect.poll(() => states).toEqual([[true, true, true, true]])
})

test('a request that nobody read is over after the response', async () => {
  let seen: http.IncomingMessage | undefined
  await ask((request, reply) => {
    seen = request
    reply.end()
  })
  await expect.poll(() => seen?.closed).toBe(true)
  expect([seen?.complete, seen?.readableEnded, seen?.destroyed, seen?.readable]).toEqual([true, true, true, false])
  const error = await new Promise((resolve) => finished(seen ?? Readable.from([]), resolve))
  expect(error).toBeUndefined()
})

test('whoever listens to a request that nobody read hears of its end', async () => {
  const events: string[] = []
  await ask((request, reply) => {
    for (const event of ['end', 'close']) request.on(event, () => events.push(event))
    reply.end()
  })
  await expect.poll(() => events).toEqual(['end', 'close'])
})

test('what comes later is taken at once, by whoever asks first, and can be awaited as well', async () => {
  const later = new Later<string>()
  const taken: string[] = []
  const next = later.then((value) => {
    taken.push(value)
    return Promise.resolve(`${value} again`)
  })
  const second = later.then(undefined, undefined)
  later.resolve('value')
  later.reject(new Error('too late'))
  expect(taken).toEqual(['value'])
  expect([await later, await next, await second]).toEqual(['value', 'value again', 'value'])
})

test('a failure that comes later reaches whoever asks, and what fails in between as well', async () => {
  const later = new Later<string>()
  const chain = later.then(() => 'not called').then(undefined, (error) => Promise.reject(error))
  later.reject(new Error('broken'))
  await expect(Promise.resolve(chain)).rejects.toThrow('broken')
  await expect(Promise.resolve(later)).rejects.toThrow('broken')
})
