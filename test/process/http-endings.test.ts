/** How connections of the built-in HTTP listener end: because the client leaves, or because tsgi stops. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openHttp } from '../support/http-client.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
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

describe('a stop', () => {
  test.each([
    ['--read-timeout', '30'],
    ['--read-timeout', '0'],
  ])('with %s %s does not wait for connections that become idle in it', async (...readTimeout) => {
    const { port, tsgi } = await served(...readTimeout)
    const file = join(tempDir(), 'go')
    const idle = await openHttp({ port })
    await idle.request({ path: '/pid' })
    const busy = await openHttp({ port })
    busy.send(get(`/begun-until?file=${file}`))
    await once(busy.socket, 'readable')
    tsgi.signal('SIGTERM')
    // The worker drains.
    await idle.closed()
    writeFileSync(file, '')
    const response = await busy.readResponse()
    expect(response).toMatchObject({ text: 'begun ended', complete: true })
    expect(response.header('connection')).toBe('keep-alive')
    await busy.closed()
    expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
    idle.destroy()
    busy.destroy()
  })

  test('cuts short no response that its client has still to take', async () => {
    const { port, tsgi } = await served()
    const unused = await openHttp({ port })
    const slow = await openHttp({ port })
    slow.send(get('/at-once?bytes=50000000'))
    await once(slow.socket, 'readable')
    tsgi.signal('SIGTERM')
    // The worker has drained for some seconds.
    await unused.closed()
    expect(await slow.readResponse()).toMatchObject({ bodyBytes: 50_000_000, complete: true })
    await slow.closed()
    expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
    unused.destroy()
    slow.destroy()
  })
})
