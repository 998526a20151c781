import http from 'node:http'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { Hono } from 'hono'
import multer from 'multer'
import { describe, expect, test } from 'vitest'
import { answerInMemory, type MemoryRequest } from '../../src/gateway/memory.ts'
import { asyncApp } from '../../src/interfaces/async/types.ts'
import { fetchHandler, nodeListener } from '../../src/interfaces/marks.ts'
import { loadInterface } from '../../src/interfaces/registry.ts'

/** By a name that the compiler does not follow: the declarations of these two want more libraries than tsgi has. */
const load = (name: string) => import(name)
const { default: Koa } = await load('koa')
const { H3 } = await load('h3')

const context = { exportName: 'default', file: 'app.ts' }

async function ask(exported: unknown, request: MemoryRequest = {}) {
  const loaded = await loadInterface(exported, 'auto', context, 0)
  await loaded.startup?.((error) => {
    throw error
  })
  const response = await answerInMemory(loaded.handler, request)
  await loaded.shutdown?.()
  expect(response.errors).toEqual([])
  return response
}

const json: MemoryRequest = {
  method: 'POST',
  path: '/echo',
  body: '{"a":[1]}',
  headers: [['Content-Type', 'application/json']],
}

describe('frameworks are known by what they export', () => {
  const applications: Readonly<Record<string, () => unknown>> = {
    'Express 5': () =>
      express()
        .use(express.json())
        .post('/echo', (request, reply) => void reply.json(request.body)),
    'Express 4': () =>
      express4()
        .use(express4.json())
        .post('/echo', (request, reply) => void reply.json(request.body)),
    Koa: () =>
      new Koa().use(async (koa: { req: AsyncIterable<Buffer>; body: unknown }) => {
        let text = ''
        for await (const chunk of koa.req) text += chunk
        koa.body = JSON.parse(text)
      }),
    Fastify: () => {
      const app = fastify()
      app.post('/echo', async (request) => request.body)
      return app
    },
    Hono: () => new Hono().post('/echo', async (hono) => hono.json(await hono.req.json())),
    h3: () => new H3().post('/echo', async (event: { req: Request }) => event.req.json()),
    'an http.Server': () =>
      http.createServer((request, reply) => {
        reply.setHeader('Content-Type', 'application/json')
        request.pipe(reply)
      }),
    'an object with fetch': () => ({ fetch: async (request: Request) => Response.json(await request.json()) }),
    'a marked handler': () => fetchHandler(async (request) => Response.json(await request.json())),
    'a marked listener': () => nodeListener((request, reply) => request.pipe(reply)),
  }
  test.each(Object.entries(applications))('%s answers a JSON POST', async (_name, make) => {
    const response = await ask(make(), json)
    expect(response.status).toBe(200)
    expect(JSON.parse(response.text)).toEqual({ a: [1] })
  })
})

test('Express serves unknown paths, errors, ranges and conditional requests as it always does', async () => {
  const app = express()
  app.get('/etag', (_request, reply) => void reply.send('tagged'))
  app.get('/throws', () => {
    throw Object.assign(new Error('teapot'), { status: 418, expose: true })
  })
  app.get('/rejects', async () => {
    await Promise.reject(Object.assign(new Error('later'), { status: 503, expose: true }))
  })
  app.get('/file', (_request, reply) => void reply.sendFile(import.meta.filename))
  expect((await ask(app, { path: '/none' })).status).toBe(404)
  expect((await ask(app, { path: '/throws' })).status).toBe(418)
  expect((await ask(app, { path: '/rejects' })).status).toBe(503)
  const tagged = await ask(app, { path: '/etag' })
  const etag = tagged.headers.find(([name]) => name === 'ETag')?.[1] ?? ''
  expect((await ask(app, { path: '/etag', headers: [['If-None-Match', etag]] })).status).toBe(304)
  const range = await ask(app, { path: '/file', headers: [['Range', 'bytes=0-5']] })
  expect([range.status, range.text]).toEqual([206, 'import'])
})

test('multer reads an upload', async () => {
  const app = express()
  app.post('/', multer().single('file'), (request, reply) => void reply.send(`${request.file?.size}`))
  const form = new FormData()
  form.set('file', new Blob(['x'.repeat(300_000)]), 'x.txt')
  const encoded = new Response(form)
  const type = encoded.headers.get('content-type') ?? ''
  const body = new Uint8Array(await encoded.arrayBuffer())
  expect((await ask(app, { method: 'POST', body, headers: [['Content-Type', type]] })).text).toBe('300000')
})

test('a plain function is an environ application only under that name', async () => {
  const application = () => []
  expect((await loadInterface(application, 'auto', { ...context, exportName: 'application' }, 0)).interface).toBe(
    'tsgi',
  )
  expect((await loadInterface(application, 'tsgi', context, 0)).interface).toBe('tsgi')
  await expect(loadInterface(application, 'auto', context, 0)).rejects.toThrow(
    /"default" is function application.*--interface tsgi/,
  )
})

test('a plain function is what --interface says', async () => {
  const listener = (_request: http.IncomingMessage, reply: http.ServerResponse) => reply.end('node')
  const node = await loadInterface(listener, 'node', context, 0)
  expect((await answerInMemory(node.handler)).text).toBe('node')
  const fetched = await loadInterface(() => new Response('fetch'), 'fetch', context, 0)
  expect((await answerInMemory(fetched.handler)).text).toBe('fetch')
})

test('what speaks another interface than was asked for is refused', async () => {
  await expect(loadInterface(new Hono(), 'node', context, 0)).rejects.toThrow(/speaks the fetch interface, not node/)
  await expect(loadInterface(asyncApp({}), 'tsgi', context, 0)).rejects.toThrow(/an asyncApp/)
})

test('what is nothing usable is named', async () => {
  await expect(loadInterface({ a: 1 }, 'auto', context, 0)).rejects.toThrow(/is an object: wanted is/)
  await expect(loadInterface(undefined, 'auto', context, 0)).rejects.toMatchObject({ code: 'TSGI_LOAD', exitCode: 3 })
})
