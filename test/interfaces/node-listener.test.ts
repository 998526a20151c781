import events, { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Environ, HeaderList, StartResponse } from '../../src/application.ts'
import { TsgiError } from '../../src/errors.ts'
import { EnvironSource } from '../../src/gateway/environ-source.ts'
import { answerInMemory, type MemoryRequest, requestInMemory } from '../../src/gateway/memory.ts'
import type { Handler } from '../../src/gateway/request-source.ts'
import { fromNode } from '../../src/interfaces/convert.ts'
import type { NodeListener } from '../../src/interfaces/marks.ts'
import { handlerOfServer } from '../../src/interfaces/node/listener.ts'
import { requestConstructor } from '../../src/interfaces/node/request.ts'
import { hooksWork } from '../../src/interfaces/node/self-test.ts'
import { upgradeRequest } from '../../src/interfaces/node/upgrade.ts'
import { tempDir } from '../support/temp-dir.ts'

const serve = (listener: NodeListener, hooked = true): Handler => handlerOfServer(http.createServer(listener), hooked)

const ask = (listener: NodeListener, request: MemoryRequest = {}) => answerInMemory(serve(listener), request)

test('the inner members of Node that the hooks use are there', () => {
  expect(hooksWork()).toBe(true)
})

describe.each([
  ['with hooks', true],
  ['read from the text that Node writes', false],
])('a listener %s', (_name, hooked) => {
  const answer = (listener: NodeListener, request: MemoryRequest = {}) =>
    answerInMemory(serve(listener, hooked), request)

  test('answers with status, headers and body', async () => {
    const response = await answer((_request, reply) => {
      reply.statusCode = 201
      reply.statusMessage = 'Made'
      reply.setHeader('Set-Cookie', ['a=1', 'b=2'])
      reply.setHeader('X-Number', 7)
      reply.end('hello')
    })
    expect(response.statusLine).toBe('201 Made')
    expect(response.headers.filter(([name]) => name.startsWith('Set'))).toEqual([
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ])
    expect(response.headers).toContainEqual(['X-Number', '7'])
    expect(response.text).toBe('hello')
    expect(response.complete).toBe(true)
  })

  test('reads a body and answers later', async () => {
    const response = await answer(
      (request, reply) => {
        let length = 0
        request.on('data', (chunk: Buffer) => {
          length += chunk.length
        })
        request.on('end', () => reply.end(`${length} ${request.complete}`))
      },
      { method: 'POST', body: 'x'.repeat(200_000) },
    )
    expect(response.text).toBe('200000 true')
  })

  test('streams, and pipes what it is given', async () => {
    const response = await answer((_request, reply) => {
      pipeline(Readable.from(['a', 'b', 'c'].map((text) => Buffer.from(text))), reply, () => undefined)
    })
    expect(response.text).toBe('abc')
  })

  test('sends no body to HEAD', async () => {
    const response = await answer((_request, reply) => reply.setHeader('X-A', '1').end('body'), { method: 'HEAD' })
    expect(response.headers).toEqual([['X-A', '1']])
    expect(response.body.length).toBe(0)
  })

  test('drops what only a connection of its own could carry', async () => {
    const response = await answer((_request, reply) => {
      reply.writeContinue()
      reply.writeProcessing()
      reply.writeEarlyHints({ link: '</a.css>; rel=preload' })
      reply.setHeader('Connection', 'close')
      reply.setHeader('Transfer-Encoding', 'chunked')
      reply.setHeader('Trailer', 'X-Checksum')
      reply.write('a')
      reply.addTrailers({ 'X-Checksum': '1' })
      reply.end('b')
    })
    expect(response.headers.filter(([name]) => name !== 'Content-Length')).toEqual([])
    expect(response.text).toBe('ab')
    expect(response.errors).toEqual([])
  })

  test('sees the client leave', async () => {
    const leave = new AbortController()
    const seen: string[] = []
    const response = await answer(
      (request, reply) => {
        request.on('aborted', () => seen.push('aborted'))
        reply.on('close', () => seen.push(`close ${reply.writableFinished}`))
        reply.write('first')
        setImmediate(() => leave.abort())
      },
      { signal: leave.signal },
    )
    expect(response.complete).toBe(false)
    expect(seen).toEqual(['aborted', 'close false'])
  })
})

test('early hints carry no header that nobody gave', async () => {
  const hinted: HeaderList[] = []
  const thrown: unknown[] = []
  const inner = fromNode((_request, reply) => {
    reply.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-a': 'b' })
    try {
      reply.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-a': 'b\r\nSet-Cookie: c=1' })
    } catch (error) {
      thrown.push(error)
    }
    reply.end()
  })
  await requestInMemory((environ, startResponse) => {
    environ['tsgi.early_hints'] = async (_start, headers) => {
      hinted.push(headers)
      return true
    }
    return inner(environ, startResponse)
  })
  expect(hinted).toEqual([
    [
      ['Link', '</a.css>; rel=preload'],
      ['x-a', 'b'],
    ],
  ])
  expect(thrown).toMatchObject([{ code: 'ERR_INVALID_CHAR' }])
})

test('a body that is asked for right after the response is given', async () => {
  const heard: unknown[] = []
  const response = await ask(
    (request, reply) => {
      reply.end('taken')
      request.on('data', (chunk: Buffer) => heard.push(chunk.toString()))
      request.on('end', () => heard.push(request.complete))
    },
    { method: 'POST', body: 'later' },
  )
  expect(response.text).toBe('taken')
  await expect.poll(() => heard).toEqual(['later', true])
})

test('a request that moves is not timed out', async () => {
  let silences = 0
  const inner = fromNode((request, reply) => {
    request.setTimeout(300, () => silences++)
    request.resume().on('end', () => reply.end(String(request.socket.bytesRead)))
  })
  const response = await requestInMemory(
    (environ, startResponse) => {
      const pieces = (async function* () {
        for (let piece = 0; piece < 6; piece++) {
          await setTimeout(100)
          yield Buffer.from('piece')
        }
      })()
      Object.assign(environ['tsgi.input'], { [Symbol.asyncIterator]: () => pieces })
      return inner(environ, startResponse)
    },
    { method: 'POST', body: 'x' },
  )
  expect({ text: response.text, silences }).toEqual({ text: '30', silences: 0 })
})

test('where a listener throws, whoever waits for the end of request and response hears of it', async () => {
  const heard: string[] = []
  const server = http.createServer((request, reply) => {
    request.on('close', () => heard.push('request'))
    reply.on('close', () => heard.push('response'))
    throw new Error('in the listener')
  })
  const response = await answerInMemory(handlerOfServer(server))
  expect([response.status, String(response.errors[0])]).toEqual([500, 'Error: in the listener'])
  await expect.poll(() => heard.toSorted()).toEqual(['request', 'response'])
})

test('who still reads a body when the response is over is told, and waits no longer', async () => {
  let reading: Promise<void> | undefined
  const inner = fromNode((request, reply) => {
    reading = (async () => {
      for await (const chunk of request) reply.end(chunk)
    })()
  })
  const response = await requestInMemory(
    (environ, startResponse) => {
      const over = new Promise<void>((resolve) => {
        environ['tsgi.after'](() => resolve())
      })
      const pieces = (async function* () {
        yield Buffer.from('first')
        await over
        throw new Error('cut off')
      })()
      environ['tsgi.input'] = Object.assign(environ['tsgi.input'], { [Symbol.asyncIterator]: () => pieces })
      return inner(environ, startResponse)
    },
    { method: 'POST', body: 'first and more' },
  )
  expect(response.text).toBe('first')
  await expect(reading).rejects.toThrow('cut off')
})

test('the request is what node:http makes of the same request', async () => {
  const facts = (request: http.IncomingMessage) => ({
    method: request.method,
    url: request.url,
    httpVersion: request.httpVersion,
    headers: request.headers,
    cookies: request.headersDistinct['cookie'],
    rawHeaders: request.rawHeaders,
    isMessage: request instanceof http.IncomingMessage && request instanceof Readable,
  })
  let native: unknown
  const server = http.createServer((request, reply) => {
    native = facts(request)
    reply.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const socket = net.connect(portOf(server), '127.0.0.1')
  const head = ['Host: a.example', 'User-Agent: test', 'Cookie: a=1', 'X-Two-Words: yes']
  socket.end(`GET /a%20b?c=%2F HTTP/1.1\r\n${head.join('\r\n')}\r\nConnection: close\r\n\r\n`)
  await once(socket.resume(), 'close')
  let ours: unknown
  await ask(
    (request, reply) => {
      ours = facts(request)
      reply.end()
    },
    {
      path: '/a%20b?c=%2F',
      headers: [...head, 'Connection: close'].map((line) => [line.split(': ')[0] ?? '', line.split(': ')[1] ?? '']),
    },
  )
  expect(ours).toEqual(native)
})

/** What happens to the two messages, in order. */
function watch(request: http.IncomingMessage, reply: http.ServerResponse, seen: string[]): void {
  for (const event of ['end', 'aborted', 'error', 'close']) request.on(event, () => seen.push(`request ${event}`))
  for (const event of ['finish', 'error', 'close']) reply.on(event, () => seen.push(`response ${event}`))
}

describe('events come in the order of node:http', () => {
  const scenarios: Readonly<Record<string, NodeListener>> = {
    'an answer at once': (_request, reply) => reply.end('x'),
    'an answer later': (_request, reply) => setImmediate(() => reply.end('x')),
    'an answer in pieces': (_request, reply) => {
      reply.write('x')
      setImmediate(() => reply.end('y'))
    },
    'a request that is read first': (request, reply) => request.resume().on('end', () => reply.end('x')),
    'head flushed, then ended without a body': (_request, reply) => {
      reply.flushHeaders()
      setImmediate(() => reply.end())
    },
  }
  test.each(Object.entries(scenarios))('%s', async (_name, listener) => {
    const native: string[] = []
    const server = http.createServer((request, reply) => {
      watch(request, reply, native)
      listener(request, reply)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const request = http.get({ port: portOf(server), agent: false })
    const [incoming]: http.IncomingMessage[] = await once(request, 'response')
    await once(incoming?.resume() ?? request, 'close')
    await expect.poll(() => native.length).toBe(4)
    const ours: string[] = []
    await ask((incomingRequest, reply) => {
      watch(incomingRequest, reply, ours)
      listener(incomingRequest, reply)
    })
    await expect.poll(() => ours.length).toBe(4)
    // Request and response end independently of each other; each keeps its own order.
    const of = (list: string[], who: string) => list.filter((event) => event.startsWith(who))
    expect(of(ours, 'response')).toEqual(of(native, 'response'))
    expect(of(ours, 'request')).toEqual(of(native, 'request'))
  })

  test('a client that leaves in the middle', async () => {
    const native: string[] = []
    const server = http.createServer((request, reply) => {
      watch(request, reply, native)
      reply.write('x')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const request = http.get({ port: portOf(server), agent: false })
    const [incoming]: http.IncomingMessage[] = await once(request, 'response')
    incoming?.destroy()
    await expect.poll(() => native.length).toBe(4)
    const leave = new AbortController()
    const ours: string[] = []
    await ask(
      (incomingRequest, reply) => {
        watch(incomingRequest, reply, ours)
        reply.write('x')
        setImmediate(() => leave.abort())
      },
      { signal: leave.signal },
    )
    await expect.poll(() => ours).toEqual(native)
  })
})

test("the response closes after its 'finish', whoever holds that back", async () => {
  const events: string[] = []
  let release: () => void = () => undefined
  await ask((_request, reply) => {
    const emit = reply.emit.bind(reply)
    reply.emit = (event: string, ...parameters: unknown[]) => {
      if (event !== 'finish') return emit(event, ...parameters)
      release = () => emit(event, ...parameters)
      return true
    }
    reply.on('finish', () => events.push('finish')).on('close', () => events.push('close'))
    reply.end('x')
  })
  await new Promise(setImmediate)
  expect(events).toEqual([])
  release()
  await expect.poll(() => events).toEqual(['finish', 'close'])
})

test('a response that is ready in the same turn is returned, not promised', () => {
  const application = fromNode((_request, reply) => reply.setHeader('Content-Type', 'text/plain').end('at once'))
  const started: unknown[] = []
  const start: StartResponse = (...head) => {
    started.push(head)
    return () => Promise.reject(new Error('nothing is written'))
  }
  const body = application(environ(), start)
  expect(body).toEqual([Buffer.from('at once')])
  expect(started).toEqual([
    [
      '200 OK',
      [
        ['Content-Type', 'text/plain'],
        ['Content-Length', '7'],
      ],
    ],
  ])
})

test('write says when to wait, and drain when to go on', async () => {
  let drained = 0
  const gates: (() => void)[] = []
  const application = fromNode((_request, reply) => {
    const more = reply.write(Buffer.alloc(100_000))
    expect(more).toBe(false)
    expect(reply.writableNeedDrain).toBe(true)
    reply.on('drain', () => {
      drained++
      reply.end()
    })
  })
  const body = application(environ(), () => () => new Promise((resolve) => gates.push(resolve)))
  await expect.poll(() => gates.length).toBe(1)
  expect(drained).toBe(0)
  gates.pop()?.()
  expect(await body).toEqual([])
  expect(drained).toBe(1)
})

test('writeHead takes every form that node:http takes', async () => {
  const forms: NodeListener[] = [
    (_request, reply) => reply.writeHead(202, { 'X-A': '1', 'X-B': ['2', '3'] }).end(),
    (_request, reply) => reply.writeHead(202, 'Fine', { 'X-A': '1', 'X-B': ['2', '3'] }).end(),
    (_request, reply) => reply.writeHead(202, ['X-A', '1', 'X-B', '2', 'X-B', '3']).end(),
    (_request, reply) =>
      reply
        .setHeader('X-A', '1')
        .writeHead(202, { 'X-B': ['2', '3'] })
        .end(),
  ]
  for (const form of forms) {
    const response = await ask(form)
    expect(response.statusLine).toMatch(/^202 (Accepted|Fine)$/)
    expect(response.headers.filter(([name]) => name.startsWith('X-'))).toEqual([
      ['X-A', '1'],
      ['X-B', '2'],
      ['X-B', '3'],
    ])
  }
})

test('the socket tells about the client, and members of it can be set', async () => {
  const response = await ask(
    (request, reply) => {
      const { remoteAddress, remotePort, remoteFamily, localPort } = request.socket
      Reflect.set(request.socket, 'remoteAddress', '10.0.0.9')
      reply.end(
        JSON.stringify({
          ...{ remoteAddress, remotePort, remoteFamily, localPort },
          encrypted: Reflect.get(request.socket, 'encrypted'),
          changed: request.connection.remoteAddress,
          same: reply.socket === request.socket,
        }),
      )
    },
    { params: { REMOTE_ADDR: '2001:db8::1', REMOTE_PORT: '4711', HTTPS: 'on', SERVER_PORT: '443' } },
  )
  expect(JSON.parse(response.text)).toEqual({
    ...{ remoteAddress: '2001:db8::1', remotePort: 4711, remoteFamily: 'IPv6', localPort: 443 },
    ...{ encrypted: true, changed: '10.0.0.9', same: true },
  })
})

test('whether the socket has a member encrypted says whether the client came over TLS', async () => {
  const encrypted: NodeListener = (request, reply) => {
    const had = 'encrypted' in request.socket
    Object.assign(request.socket, { encrypted: 'set' })
    reply.end(`${had} ${'encrypted' in request.socket}`)
  }
  for (const hooked of [true, false]) {
    const handler = serve(encrypted, hooked)
    expect((await answerInMemory(handler, {})).text).toBe('false true')
    expect((await answerInMemory(handler, { params: { HTTPS: 'on' } })).text).toBe('true true')
  }
})

test('REQUEST_URI is the url, and without it path and query are', async () => {
  const url: NodeListener = (request, reply) => reply.end(request.url)
  expect((await ask(url, { path: '/a%2Fb?x=%20' })).text).toBe('/a%2Fb?x=%20')
  const rebuilt = { REQUEST_URI: '', SCRIPT_NAME: '/app', PATH_INFO: '/a b', QUERY_STRING: 'q=1' }
  expect((await ask(url, { params: rebuilt })).text).toBe('/app/a%20b?q=1')
  // What nginx 1.22 makes of `GET http://a.example?q=1`.
  expect((await ask(url, { params: { REQUEST_URI: '?q=1', PATH_INFO: '/', QUERY_STRING: 'q=1' } })).text).toBe('/?q=1')
})

test('the expectation that was met for the application is not there to be sent on with the request', async () => {
  const headers: NodeListener = (request, reply) => reply.end(JSON.stringify([request.headers, request.rawHeaders]))
  const met = { headers: [['Expect', '100-Continue']] } satisfies MemoryRequest
  expect((await ask(headers, met)).text).not.toMatch(/expect/i)
  expect((await ask(headers, { headers: [['Expect', 'more']] })).text).toContain('"expect":"more"')
  const server = http.createServer(headers)
  server.on('checkContinue', (_request: unknown, reply: http.ServerResponse) => reply.end('asked'))
  expect((await answerInMemory(handlerOfServer(server), met)).text).toBe('asked')
})

describe('errors', () => {
  test('a throw before the answer is a 500', async () => {
    const response = await ask(() => {
      throw new Error('broken')
    })
    expect(response.status).toBe(500)
    expect(response.errors).toEqual([new Error('broken')])
  })

  test('destroying the response before its end breaks it off', async () => {
    const response = await ask((_request, reply) => {
      reply.write('part')
      setImmediate(() => reply.destroy())
    })
    expect(response.complete).toBe(false)
    expect(response.errors.length).toBe(1)
  })

  test('destroying the response with an error is the end of the connection to its request', async () => {
    const heard: unknown[] = []
    const { errors } = await ask((request, reply) => {
      request.on('error', (error) => heard.push(error))
      setImmediate(() => reply.destroy(new Error('given up')))
    })
    await expect.poll(() => heard).toEqual([expect.objectContaining({ code: 'ECONNRESET', message: 'aborted' })])
    expect(errors).toEqual([new Error('given up')])
  })

  test('destroying the socket with an error tells whoever listens to it, before its close', async () => {
    const events: string[] = []
    await ask((request) => {
      request.socket.on('error', ({ message }) => events.push(message)).on('close', () => events.push('close'))
      request.socket.destroy(new Error('broken'))
    })
    await expect.poll(() => events).toEqual(['broken', 'close'])
  })

  test('writing after the end is reported as node:http does', async () => {
    const codes: unknown[] = []
    await ask((_request, reply) => {
      reply.on('error', (error) => codes.push(Reflect.get(error, 'code')))
      reply.end('x')
      reply.write('y')
    })
    await expect.poll(() => codes).toEqual(['ERR_STREAM_WRITE_AFTER_END'])
  })

  test('a body that is not as long as was said throws where the response is to be strict about it', async () => {
    const wrong = { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' }
    const response = await ask((_request, reply) => {
      reply.strictContentLength = true
      reply.writeHead(200, { 'content-length': 3 })
      expect(() => reply.write('four')).toThrow(expect.objectContaining(wrong))
      reply.write('ab')
      expect(() => reply.end()).toThrow(expect.objectContaining(wrong))
      reply.end('c')
    })
    expect([response.text, response.complete]).toEqual(['abc', true])
  })

  test('headers after the head throw', async () => {
    const response = await ask((_request, reply) => {
      reply.writeHead(200)
      expect(() => reply.setHeader('X-A', '1')).toThrow(expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' }))
      reply.end('sent')
    })
    expect(response.text).toBe('sent')
  })

  test('a header that cannot be sent is one 500, not a hanging request', async () => {
    const response = await ask((_request, reply) => reply.setHeader('Content-Length', 'many').end('x'))
    expect(response.status).toBe(500)
    expect(response.errors[0]).toBeInstanceOf(TsgiError)
  })

  test('an upload over the limit is a 413', async () => {
    const response = await answerInMemory(
      serve((request, reply) => request.resume().on('end', () => reply.end())),
      { method: 'POST', body: 'x'.repeat(1000) },
      { maxBodyBytes: 100 },
    )
    expect(response.status).toBe(413)
  })

  test('captureRejections answers 500', async () => {
    events.captureRejections = true
    const server = http.createServer(async () => {
      await Promise.reject(new Error('rejected'))
    })
    events.captureRejections = false
    const response = await answerInMemory(handlerOfServer(server))
    expect([response.status, response.text]).toEqual([500, 'Internal Server Error'])
  })
})

test('a response timeout is told, and ends the request when nobody listens', async () => {
  const told = await ask((_request, reply) => {
    reply.setTimeout(5, () => reply.end('timed out'))
  })
  expect(told.text).toBe('timed out')
  const untold = await ask((request) => {
    request.socket.setTimeout(5)
  })
  expect(untold.status).toBe(500)
})

test('message classes given to createServer keep their members', async () => {
  class Request extends http.IncomingMessage {
    get shout(): string {
      return `${this.url}!`
    }
  }
  const server = http.createServer({ IncomingMessage: Request }, (request, reply) => reply.end(request.shout))
  expect((await answerInMemory(handlerOfServer(server), { path: '/a' })).text).toBe('/a!')
})

test('whoever hooks the server sees its requests', async () => {
  const server = http.createServer((_request, reply) => reply.end('x'))
  const seen: unknown[] = []
  const emit = server.emit
  server.emit = function (this: http.Server, ...parameters: unknown[]) {
    seen.push(parameters[0])
    return Reflect.apply(emit, this, parameters)
  } as typeof server.emit
  await answerInMemory(handlerOfServer(server))
  expect(seen).toEqual(['request'])
})

test('whoever counts the connections of a server sees each begin and end', async () => {
  const open = new Set<unknown>()
  let seen = 0
  const server = http.createServer((request, reply) => {
    expect([...open]).toEqual([request.socket])
    if (request.url === '/destroyed') reply.destroy()
    else reply.end()
  })
  server.on('connection', (socket: net.Socket) => {
    seen++
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  for (const path of ['/', '/destroyed']) {
    await answerInMemory(handlerOfServer(server), { path })
    await expect.poll(() => open.size).toBe(0)
  }
  expect(seen).toBe(2)
})

test('diagnostics channels tell of the request and of its response', async () => {
  const { subscribe, unsubscribe } = await import('node:diagnostics_channel')
  const seen: unknown[] = []
  const server = http.createServer((_request, reply) => reply.end('x'))
  const note = (name: string, message: unknown): void => {
    const { request, response, server: from } = Object(message)
    if (from === server)
      seen.push([name, request instanceof http.IncomingMessage, response instanceof http.ServerResponse])
  }
  const started = (message: unknown): void => note('start', message)
  const finished = (message: unknown): void => note('finish', message)
  subscribe('http.server.request.start', started)
  subscribe('http.server.response.finish', finished)
  onTestFinished(() => {
    unsubscribe('http.server.request.start', started)
    unsubscribe('http.server.response.finish', finished)
  })
  await answerInMemory(handlerOfServer(server))
  await expect
    .poll(() => seen)
    .toEqual([
      ['start', true, true],
      ['finish', true, true],
    ])
})

test('an upgrade where none can be carried is a 501, and the log says what to use', async () => {
  const server = http.createServer()
  server.on('upgrade', () => undefined)
  const response = await answerInMemory(handlerOfServer(server), {
    headers: [
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
    ],
  })
  expect(response.status).toBe(501)
  expect(response.errorLines.join(' ')).toContain('uwsgi_pass')
})

test('the socket of an upgrade knows what the front server verified, and can be reset where a Unix socket cannot', async () => {
  const path = join(tempDir(), 'socket')
  const server = net.createServer().listen(path)
  const client = net.connect(path)
  const [socket]: net.Socket[] = await once(server, 'connection')
  onTestFinished(() => void server.close())
  if (socket === undefined) throw new Error('no connection')
  const verified = { ...environ(), SSL_CLIENT_VERIFY: 'SUCCESS' }
  const request = upgradeRequest(
    new EnvironSource(verified),
    socket,
    undefined,
    requestConstructor(http.IncomingMessage.prototype),
  )
  expect(Reflect.get(request.socket, 'authorized')).toBe(true)
  expect('encrypted' in request.socket).toBe(false)
  request.socket.resetAndDestroy()
  await once(client, 'close')
})

function portOf(server: http.Server): number {
  // A TCP server that listens has an AddressInfo.
  return (server.address() as AddressInfo).port
}

function environ(): Environ {
  return {
    ...{ REQUEST_METHOD: 'GET', SCRIPT_NAME: '', PATH_INFO: '/', QUERY_STRING: '', REQUEST_URI: '/' },
    ...{ SERVER_NAME: 'localhost', SERVER_PORT: '80', SERVER_PROTOCOL: 'HTTP/1.1' },
    'tsgi.version': [1, 0],
    'tsgi.url_scheme': 'http',
    'tsgi.input': { read: never, readline: never, readlines: never, [Symbol.asyncIterator]: never },
    'tsgi.input_terminated': true,
    'tsgi.errors': { write: never, writelines: never, flush: never },
    'tsgi.multithread': false,
    'tsgi.multiprocess': false,
    'tsgi.run_once': false,
    'tsgi.concurrent': true,
    'tsgi.signal': new AbortController().signal,
    'tsgi.after': () => undefined,
  }
}

function never(): never {
  throw new Error('not expected to be called')
}
