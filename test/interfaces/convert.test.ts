import http from 'node:http'
import express from 'express'
import { describe, expect, test } from 'vitest'
import type { Application } from '../../src/application.ts'
import { type MemoryRequest, requestInMemory } from '../../src/gateway/memory.ts'
import { fromAsync, fromFetch, fromNode } from '../../src/interfaces/convert.ts'
import { toAsync } from '../../src/interfaces/to-async.ts'
import { toFetch } from '../../src/interfaces/to-fetch.ts'
import { toNode } from '../../src/interfaces/to-node.ts'

/** Says what it saw, in pieces, then gives the body back. */
const echo: Application = (environ, startResponse) => {
  startResponse('201 Made', [
    ['X-Path', environ.PATH_INFO],
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
  ])
  return (async function* () {
    yield Buffer.from(`${environ.REQUEST_METHOD} ${environ.QUERY_STRING} ${environ['HTTP_X_A']}|`)
    for await (const chunk of environ['tsgi.input']) yield chunk
  })()
}

const request: MemoryRequest = {
  method: 'POST',
  path: '/a%20b?q=1',
  body: 'x'.repeat(300_000),
  headers: [['X-A', 'yes']],
}

const ways: Readonly<Record<string, Application>> = {
  'Node and back': fromNode(toNode(echo)),
  'fetch and back': fromFetch(toFetch(echo)),
  'async and back': fromAsync(toAsync(echo)),
  'all of them': fromNode(toNode(fromFetch(toFetch(fromAsync(toAsync(echo)))))),
}

describe.each(Object.entries(ways))('to %s', (_name, application) => {
  test('a request and its response arrive whole', async () => {
    const response = await requestInMemory(application, request)
    expect(response.errors).toEqual([])
    expect(response.status).toBe(201)
    const of = (wanted: string) => response.headers.filter(([name]) => name.toLowerCase() === wanted)
    expect(of('x-path').map(([, value]) => value)).toEqual(['/a b'])
    expect(of('set-cookie').map(([, value]) => value)).toEqual(['a=1', 'b=2'])
    expect(response.text).toBe(`POST q=1 yes|${request.body}`)
    expect(response.complete).toBe(true)
  })

  test('no body stays no body', async () => {
    const response = await requestInMemory(application, { path: '/' })
    expect(response.text).toBe('GET  undefined|')
  })
})

test('an application that fails within another interface is a 500 there', async () => {
  const errors: unknown[] = []
  const failing: Application = () => {
    throw new Error('broken')
  }
  const onError = (error: unknown): void => void errors.push(error)
  for (const application of [
    fromNode(toNode(failing, { onError })),
    fromFetch(toFetch(failing, { onError })),
    fromAsync(toAsync(failing, { onError })),
  ]) {
    expect((await requestInMemory(application)).status).toBe(500)
  }
  expect(errors).toEqual([new Error('broken'), new Error('broken'), new Error('broken')])
})

test('an application is a route of Express', async () => {
  const app = express()
  app.get('/environ', toNode(echo))
  app.use((_request, reply) => void reply.send('other'))
  const server = fromNode(http.createServer(app))
  expect((await requestInMemory(server, { path: '/environ' })).text).toBe('GET  undefined|')
  expect((await requestInMemory(server, { path: '/' })).text).toBe('other')
})
