import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http, { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import express from 'express'
import fastify from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Application } from '../../src/application.ts'
import { answerInMemory } from '../../src/gateway/memory.ts'
import { installListenTakeover, type ListenTakeover } from '../../src/interfaces/node/takeover.ts'
import { loadInterface } from '../../src/interfaces/registry.ts'
import { tempDir } from '../support/temp-dir.ts'

let takeover: ListenTakeover
beforeEach(() => {
  takeover = installListenTakeover()
})
afterEach(() => takeover.uninstall())

const load = (exported: unknown = undefined) =>
  loadInterface(exported, 'auto', { exportName: 'default', file: 'server.js', takeover }, 1000)

const body = async (exported: unknown = undefined) => (await answerInMemory((await load(exported)).handler)).text

test('a server that listens is served, and believes that it listens', async () => {
  const server = createServer((_request, reply) => reply.end('taken'))
  const called = new Promise((resolve) => {
    server.listen(3000, '127.0.0.1', function (this: unknown) {
      resolve(this)
    })
  })
  await once(server, 'listening')
  expect(await called).toBe(server)
  expect(server.listening).toBe(true)
  expect(server.address()).toEqual({ address: '127.0.0.1', port: 3000, family: 'IPv4' })
  expect(takeover.servers().map(({ asked }) => asked)).toEqual(['port 3000'])
  expect(await body()).toBe('taken')
})

test('no port is opened', async () => {
  const probe = net.createServer()
  await once(probe.listen(0, '127.0.0.1'), 'listening')
  const address = probe.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  probe.close()
  await once(probe, 'close')
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const [error] = await once(net.connect(port, '127.0.0.1'), 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
})

test('close ends it, and tells', async () => {
  const server = createServer().listen(3000)
  await once(server, 'listening')
  let closed = 0
  server.close(() => closed++)
  await once(server, 'close')
  expect([closed, server.listening, server.address(), takeover.servers().length]).toEqual([1, false, null, 0])
  const [error] = await new Promise<[unknown]>((resolve) => server.close((...parameters) => resolve([parameters[0]])))
  expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' })
  server.listen(3001)
  await once(server, 'listening')
  expect(takeover.servers().length).toBe(1)
})

test('close waits for the requests in flight', async () => {
  const events: string[] = []
  const server = createServer((_request, reply) => {
    server.close(() => events.push('closed'))
    setImmediate(() => {
      server.getConnections((_error, count) => events.push(`${count} in flight`))
      setImmediate(() => {
        events.push('answered')
        reply.end('late')
      })
    })
  }).listen(3000)
  expect(await body()).toBe('late')
  await expect.poll(() => events).toEqual(['1 in flight', 'answered', 'closed'])
})

test('listening twice is the error that it always is', () => {
  const server = createServer().listen(3000)
  expect(() => server.listen(3001)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }))
  expect(() => createServer().listen(70_000)).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }))
})

test('of several servers the first is served, or the one that is asked for by port', async () => {
  const first = () => createServer((_request, reply) => reply.end('first')).listen(3000)
  const second = () => createServer((_request, reply) => reply.end('second')).listen({ port: 9100 })
  first()
  second()
  expect(await body()).toBe('first')
  takeover.uninstall()
  takeover = installListenTakeover(9100)
  first()
  setImmediate(second)
  expect(await body()).toBe('second')
  expect((await load()).taken?.asked).toBe('port 9100')
})

describe('a server of something else, which listens before the application', () => {
  const metrics = () => createServer((_request, reply) => reply.end('metrics')).listen(9464)
  const handler = (_request: IncomingMessage, reply: ServerResponse) => reply.end('application')

  test('is passed over for the server that has the export among its listeners', async () => {
    metrics()
    createServer(handler).listen(3000)
    expect(await body(handler)).toBe('application')
    expect((await load(handler)).taken?.asked).toBe('port 3000')
  })

  test.each([
    ['an http.Server', (server: Server) => server],
    ['an object with one', (server: Server) => ({ server })],
  ])('is not served where the export is %s, whether that listens or not', async (_what, exportOf) => {
    metrics()
    const server = createServer(handler)
    expect(await body(exportOf(server))).toBe('application')
    server.listen(3000)
    expect(await body(exportOf(server))).toBe('application')
  })

  test.each([{}, { isNamed: true }])('is not served where a tsgi application is exported: %j', async (named) => {
    metrics()
    const application: Application = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return [Buffer.from('application')]
    }
    const context = { exportName: 'application', file: 'server.js', takeover, ...named }
    const { handler: served, taken } = await loadInterface(application, 'auto', context, 1000)
    expect([taken, (await answerInMemory(served)).text]).toEqual([undefined, 'application'])
  })

  test('is passed over for the server that has taken the listeners off, and calls them from within', async () => {
    metrics()
    const server = createServer(handler)
    const [inner] = server.listeners('request')
    // As Socket.IO does.
    server.removeAllListeners('request')
    server.on('request', (request, reply) => inner?.call(server, request, reply))
    server.on('upgrade', () => undefined).listen(3000)
    const named = { exportName: 'handler', isNamed: true, file: 'server.js', takeover }
    expect((await loadInterface(handler, 'node', named, 1000)).taken?.server).toBe(server)
    expect(await load(handler)).toMatchObject({ isExportPassedOver: false, taken: { server } })
  })

  test('that calls a Koa application in a way of its own does not pass it over', async () => {
    const { default: Koa } = createRequire(import.meta.url)('koa')
    const app = new Koa()
    metrics()
    expect((await load(app)).isExportPassedOver).toBe(true)
    app.listen(3000)
    expect((await load(app)).isExportPassedOver).toBe(false)
  })

  test('is not served where the export is named; where it is not, it may be what wraps it, and the export is told of', async () => {
    metrics()
    const app = express().get('/', (_request, reply) => void reply.send('application'))
    const named = { exportName: 'app', isNamed: true, file: 'server.js', takeover }
    const { handler: served, taken } = await loadInterface(app, 'auto', named, 1000)
    expect(taken).toBeUndefined()
    expect((await answerInMemory(served)).text).toBe('application')
    expect(await load(app)).toMatchObject({ isExportPassedOver: true, taken: { asked: 'port 9464' } })
  })
})

test('a port that nobody asks for is refused with those that were', async () => {
  takeover.uninstall()
  takeover = installListenTakeover(9100)
  const app = express()
  app.listen(3000)
  const loading = loadInterface(app, 'auto', { exportName: 'default', file: 'server.js', takeover }, 5)
  await expect(loading).rejects.toThrow('made servers listen on port 3000: none is that of --app-port 9100')
  const handler = { fetch: () => new Response() }
  await expect(
    loadInterface(handler, 'auto', { exportName: 'default', file: 'server.js', takeover }, 5),
  ).rejects.toThrow('is served without one')
})

test('who listens later is heard of as well', async () => {
  const heard: string[] = []
  createServer().listen(3000)
  takeover.onListen(({ asked }) => heard.push(asked))
  createServer().listen(3001)
  expect(heard).toEqual(['port 3000', 'port 3001'])
})

test('a server may listen long after the file was loaded', async () => {
  setImmediate(() => createServer((_request, reply) => reply.end('late')).listen(3000))
  expect(await body()).toBe('late')
})

test('a file that neither exports nor listens is refused', async () => {
  await expect(
    loadInterface(undefined, 'auto', { exportName: 'default', file: 'server.js', takeover }, 5),
  ).rejects.toMatchObject({ code: 'TSGI_LOAD' })
})

test('Express, and the application that it exports besides, run through the server', async () => {
  const app = express().get('/', (_request, reply) => void reply.send('express'))
  app.listen(3000)
  expect((await load(app)).what).toBe('the server that the file made listen')
  expect(await body(app)).toBe('express')
})

test('Fastify on localhost, which listens on two addresses, is one application', async () => {
  const app = fastify()
  app.get('/', async () => 'fastify')
  expect(await app.listen({ port: 4000, host: 'localhost' })).toBe('http://127.0.0.1:4000')
  expect(takeover.servers().length).toBe(1)
  expect(await body()).toBe('fastify')
  await app.close()
  expect(takeover.servers().length).toBe(0)
})

test('CommonJS, https and subclasses are taken over as well', async () => {
  const required: typeof http = createRequire(import.meta.url)('node:http')
  class Derived extends http.Server {}
  required.createServer((_request, reply) => reply.end('cjs')).listen(3000)
  https.createServer((_request, reply) => reply.end('https')).listen(3001)
  new Derived((_request, reply) => reply.end('derived')).listen(3002)
  expect(takeover.servers().length).toBe(3)
})

test('other servers listen for real', async () => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  expect(takeover.servers().length).toBe(0)
  server.close()
})

test.each([
  ['a pipe', process.execPath, (file: string) => [file]],
  // util-linux: a part of every Linux that these tests run on.
  ['a terminal', 'script', (file: string) => ['-qec', `${process.execPath} ${file}`, '/dev/null']],
] as const)('a file that prints to %s, and makes nothing listen, is not waited for', async (_where, command, args) => {
  const file = join(tempDir(), 'prints.mjs')
  const built = new URL('../../dist/interfaces/node/takeover.js', import.meta.url).href
  writeFileSync(
    file,
    `import { installListenTakeover } from '${built}'
    process.stdin.resume() // as the channel to the master, it keeps the process alive
    const takeover = installListenTakeover()
    console.log('printed')
    console.error('printed')
    await takeover.waitForChosen(60_000)
    process.exit()`,
  )
  const child = spawn(command, args(file), { stdio: 'pipe' })
  child.stdout.resume()
  expect(await once(child, 'exit')).toEqual([0, null])
})
