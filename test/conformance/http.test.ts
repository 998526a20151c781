/** What the built-in HTTP listener does besides: T43 and T100. */

import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { httpRequest, openHttp } from '../support/http-client.ts'
import { freePort } from '../support/ports.ts'
import { startTsgi } from '../support/tsgi.ts'

let port: number

beforeAll(async () => {
  port = await freePort()
  const app = join(import.meta.dirname, 'fixtures', 'app.ts')
  await startTsgi({ app, args: ['--workers', '1', '--http', `127.0.0.1:${port}`] })
})

test('T43 Date and Server are added once, and never twice', async () => {
  const added = await httpRequest({ port }, { path: '/dated' })
  expect(added.headerAll('Date')).toHaveLength(1)
  expect(added.headerAll('Server')).toHaveLength(1)
  const own = await httpRequest({ port }, { path: '/dated?own' })
  expect(own.headerAll('Date')).toEqual(['Thu, 01 Jan 1970 00:00:00 GMT'])
  expect(own.headerAll('Server')).toEqual(['mine'])
})

test('T100 early hints come before the head, and cannot inject anything', async () => {
  const connection = await openHttp({ port })
  connection.send('GET /hints HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const early = await connection.readResponse({ method: 'HEAD' })
  expect(early.status).toBe(103)
  expect(early.headerAll('Link')).toEqual(['</a.css>; rel=preload'])
  const final = await connection.readResponse()
  expect(final.status).toBe(200)
  expect(JSON.parse(final.text)).toEqual({ present: true, foreign: 'TypeError', sent: true, late: false })
  connection.destroy()

  const injected = await httpRequest({ port }, { path: '/hints?injected' })
  expect(injected.status).toBe(200)
  expect(JSON.parse(injected.text)).toMatchObject({ sent: 'TSGI_APP_BAD_HEADER' })
  expect(injected.headers.filter(([name]) => /injected/i.test(name))).toEqual([])
})
