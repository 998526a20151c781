/** nginx/app.conf as users copy it: what nginx answers by itself, what tsgi answers, and what a large body costs. */

import { createHash } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { httpRequest, openHttp } from '../support/http-client.ts'
import type { Front } from '../support/nginx.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { rssBytes } from '../support/proc.ts'
import { onlyWorker, socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { ALLOWED_GROWTH_BYTES, MB, mostRssBytes, pieces, upload } from './large-bodies.ts'
import { behavioursApp, makeDocumentRoot, nginxSubstitutions } from './start-pair.ts'

describeWith(['nginx'], 'nginx/app.conf', () => {
  let tsgi: Tsgi
  let nginx: Front
  let worker: number

  beforeAll(async () => {
    const path = socketPath()
    tsgi = await startTsgi({ app: behavioursApp, args: ['--uwsgi', path, '--workers', '1', '--access-log', 'json'] })
    const substitutions = nginxSubstitutions({ path }, makeDocumentRoot())
    nginx = await startNginx({ sites: [{ file: 'app.conf', substitutions }] })
    worker = await onlyWorker(tsgi)
    // The first bodies pay for what is made once, and V8 lets some 40 MB of read buffers gather before it first collects
    // them: growth beyond that would be bodies held back.
    await upload(nginx, 60 * MB)
    await download(60 * MB)
  })

  async function download(bytes: number): Promise<{ bytes: number; complete: boolean }> {
    const response = await httpRequest(nginx, { path: `/download?bytes=${bytes}`, onBody: () => undefined })
    return { bytes: response.bodyBytes, complete: response.complete }
  }

  /** How far the resident memory of the worker rose while `action` ran. */
  async function growthDuring(action: () => Promise<unknown>): Promise<number> {
    const before = rssBytes(worker)
    return (await mostRssBytes(worker, action)) - before
  }

  test('a file below root is sent by nginx, and tsgi hears nothing of it', async () => {
    const fromLine = tsgi.process.lines.length
    expect((await httpRequest(nginx, { path: '/hello.txt' })).text).toBe('a file\n')
    await httpRequest(nginx, { path: '/path/after' })
    await tsgi.waitForLog(/path\/after/, { fromLine })
    expect(tsgi.process.lines.slice(fromLine).filter((line) => line.includes('hello.txt'))).toEqual([])
  })

  test('a folder below root, the root itself and a file that is not there are the application', async () => {
    for (const path of ['/', '/static/', '/nothing.txt']) {
      const response = await httpRequest(nginx, { path })
      expect([path, response.status, JSON.parse(response.text).PATH_INFO]).toEqual([path, 404, path])
    }
  })

  test('the host is the one that nginx chose the site by, with the port that the client named', async () => {
    const hostOf = async (target: string, host: string): Promise<string> => {
      const connection = await openHttp(nginx)
      connection.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      return JSON.parse((await connection.readResponse()).text).HTTP_HOST
    }
    expect(await hostOf('/environ', 'Example.com')).toBe('example.com')
    expect(await hostOf('/environ', 'example.com:8080')).toBe('example.com:8080')
    expect(await hostOf('/environ', '[::1]:8080')).toBe('[::1]:8080')
    expect(await hostOf('http://real.test/environ', 'pretended.test')).toBe('real.test')
  })

  test('a body over client_max_body_size is refused before tsgi sees it', async () => {
    const response = await httpRequest(nginx, {
      method: 'POST',
      path: '/sum',
      headers: [['Content-Length', String(105 * MB)]],
    })
    expect(response.status).toBe(413)
  })

  test('an upload of 100 MB arrives whole and costs the worker less than 32 MB', async () => {
    const sum = createHash('sha256')
    for (const piece of pieces(100 * MB)) sum.update(piece)
    let text = ''
    const growth = await growthDuring(async () => {
      text = (await upload(nginx, 100 * MB)).text
    })
    expect(JSON.parse(text)).toEqual({ bytes: 100 * MB, sha256: sum.digest('hex') })
    expect(growth).toBeLessThan(ALLOWED_GROWTH_BYTES)
  })

  test('a streamed response of 100 MB arrives whole and costs the worker less than 32 MB', async () => {
    let seen: unknown
    const growth = await growthDuring(async () => {
      seen = await download(100 * MB)
    })
    expect(seen).toEqual({ bytes: 100 * MB, complete: true })
    expect(growth).toBeLessThan(ALLOWED_GROWTH_BYTES)
  })

  test('ten uploads and ten downloads at once cost the worker less than 32 MB', async () => {
    const growth = await growthDuring(() =>
      Promise.all(
        Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? upload(nginx, 10 * MB) : download(10 * MB))),
      ),
    )
    expect(growth).toBeLessThan(ALLOWED_GROWTH_BYTES)
  })
})

describeWith(['nginx'], 'nginx/app.conf without response buffering', () => {
  test('a client that stops reading stops the generator of the application', async () => {
    const path = socketPath()
    const tsgi = await startTsgi({ app: behavioursApp, args: ['--uwsgi', path, '--workers', '1'] })
    const unbuffered = { 'uwsgi_pass tsgi_app;': 'uwsgi_pass tsgi_app; uwsgi_buffering off;' }
    const substitutions = { ...nginxSubstitutions({ path }, makeDocumentRoot()), ...unbuffered }
    const nginx = await startNginx({ sites: [{ file: 'app.conf', substitutions }] })
    const piecesMade = async (): Promise<number> => Number((await httpRequest(nginx, { path: '/pieces' })).text)

    const connection = await openHttp(nginx)
    connection.socket.pause()
    connection.send('GET /download?bytes=200000000 HTTP/1.1\r\nHost: x.test\r\n\r\n')
    let before = -1
    const stoppedAt = await until('no more pieces are made', async () => {
      const now = await piecesMade()
      const same = now > 0 && now === before
      before = now
      return same ? now : undefined
    })
    // 3,052 pieces are the whole; what the sockets in between hold is a few MB.
    expect(stoppedAt).toBeLessThan(400)
    connection.destroy()
    await tsgi.stop()
  })
})
