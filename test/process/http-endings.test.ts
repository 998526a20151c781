/** How connections of the built-in HTTP listener end: because the client leaves, or because tsgi stops. */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openHttp } from '../support/http-client.ts'
import { freePort } from '../support/ports.ts'
import { startTsgi, type Tsgi } from '../support/tsgi.ts'

const app = join(import.meta.dirname, 'apps', 'wire.ts')

async function served(...args: string[]): Promise<{ tsgi: Tsgi; port: number }> {
  const port = await freePort()
  // A stop that takes the whole grace takes longer than a test may.
  const all = ['--workers', '1', '--http', `127.0.0.1:${port}`, '--graceful-timeout', '100', ...args]
  return { tsgi: await startTsgi({ app, args: all }), port }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

test('a client that leaves aborts all that it has asked for, and frees its places, also where it waited for no answer', async () => {
  // More than the 10 listeners of which Node warns.
  const names = Array.from({ length: 12 }, (_, index) => `request-${index}`)
  const { port, tsgi } = await served('--max-concurrency', String(names.length + 1))
  const leaver = await openHttp({ port })
  leaver.send([get('/wait'), get('/pid'), ...names.map((name) => get(`/write-on?name=${name}`))].join(''))
  await tsgi.waitForLog(/waiting/)
  await Promise.all(names.map((name) => tsgi.waitForLog(new RegExp(`${name} writes`))))
  leaver.destroy()
  await tsgi.waitForLog(/gone: ClientDisconnected/)
  await Promise.all(names.map((name) => tsgi.waitForLog(new RegExp(`${name} is refused: ClientDisconnected`))))

  const other = await openHttp({ port })
  expect((await other.request({ path: '/pid' })).status).toBe(200)
  tsgi.signal('SIGTERM')
  await other.closed()
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
  expect(tsgi.process.lines.filter((line) => line.includes('MaxListenersExceeded'))).toEqual([])
  other.destroy()
})
