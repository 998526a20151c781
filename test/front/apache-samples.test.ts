/** The site files of apache/ beyond what the matrix looks at: static files, kept connections, a pool. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { startApache } from '../support/apache.ts'
import { httpRequest } from '../support/http-client.ts'
import type { Front } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { openDescriptors } from '../support/proc.ts'
import { onlyWorker, socketPath, startTsgi } from '../support/tsgi.ts'
import { type Pool, startPool, workersOf } from './pool.ts'
import { behavioursApp, makeDocumentRoot } from './start-pair.ts'

const status = async (front: Front, path: string): Promise<number> => (await httpRequest(front, { path })).status

const STATIC_SITES = [
  ['app-uwsgi.conf', '--uwsgi'],
  ['app-fcgi.conf', '--fastcgi'],
  ['app-scgi.conf', '--scgi'],
] as const

for (const [site, flag] of STATIC_SITES) {
  describeWith(['apache2'], `apache/${site}`, () => {
    test('what is below static/ is sent by Apache, and the rest is the application', async () => {
      const path = socketPath()
      const tsgi = await startTsgi({
        app: behavioursApp,
        args: [flag, path, '--workers', '1', '--graceful-timeout', '1'],
      })
      const substitutions = { 'unix:/run/tsgi/app.sock': `unix:${path}`, '/srv/app/public': makeDocumentRoot() }
      const apache = await startApache({ site, substitutions })
      const encoded = await httpRequest(apache, { path: '/path/a%2Fb' })
      expect(JSON.parse(encoded.text)).toMatchObject({ PATH_INFO: '/path/a/b', REQUEST_URI: '/path/a%2Fb' })
      expect(JSON.parse((await httpRequest(apache, { path: '/hello.txt' })).text).PATH_INFO).toBe('/hello.txt')
      await tsgi.stop()
      expect((await httpRequest(apache, { path: '/static/hello.txt' })).text).toBe('a file\n')
      expect(await status(apache, '/static/nothing.txt')).toBe(404)
      // An encoded slash does not lead out of the folder.
      expect(await status(apache, '/static/..%2F..%2Fetc%2Fpasswd')).toBe(503)
      expect(await status(apache, '/path/')).toBe(503)
    })
  })
}

describeWith(['apache2'], 'apache/app-fcgi-files.conf', () => {
  let apache: Front
  let worker: number

  beforeAll(async () => {
    const path = socketPath()
    const tsgi = await startTsgi({ app: behavioursApp, args: ['--fastcgi', path, '--workers', '1'] })
    worker = await onlyWorker(tsgi)
    const root = makeDocumentRoot()
    mkdirSync(join(root, 'path'))
    writeFileSync(join(root, 'path', 'here.css'), 'a {}')
    const substitutions = { 'unix:/run/tsgi/app.sock': `unix:${path}`, '/srv/app/public': root }
    apache = await startApache({ site: 'app-fcgi-files.conf', substitutions })
  })

  test('every file that exists is sent by Apache', async () => {
    const file = await httpRequest(apache, { path: '/path/here.css' })
    expect([file.text, file.header('content-type')]).toEqual(['a {}', 'text/css'])
  })

  test('a path that leads through an existing folder or file is whole in PATH_INFO', async () => {
    for (const path of ['/path/', '/path/not/here.css', '/path/here.css/more']) {
      const { SCRIPT_NAME, PATH_INFO } = JSON.parse((await httpRequest(apache, { path })).text)
      expect([SCRIPT_NAME, PATH_INFO]).toEqual(['', path])
    }
  })

  test('connections to tsgi are kept: many requests, few sockets', async () => {
    for (let request = 0; request < 50; request += 1) expect(await status(apache, '/path/again')).toBe(200)
    const sockets = openDescriptors(worker).filter((target) => target.startsWith('socket:'))
    expect(sockets.length).toBeLessThan(20)
  })
})

describeWith(['apache2'], 'apache/load-balancing.conf', () => {
  let pool: Pool
  let apache: Front

  beforeAll(async () => {
    pool = await startPool()
    apache = await startApache({ site: 'load-balancing.conf', substitutions: pool.substitutions })
  })

  async function workersAsked(requests: number, cookie?: string): Promise<Set<string>> {
    const workers = new Set<string>()
    const headers = cookie === undefined ? [] : ([['Cookie', cookie]] as const)
    for (let request = 0; request < requests; request += 1) {
      workers.add((await httpRequest(apache, { path: '/worker', headers })).text)
    }
    return workers
  }

  test('requests go to every member and not to the standby', async () => {
    expect(await workersAsked(30)).toEqual(workersOf(...pool.members))
  })

  test('a client that keeps its cookie stays with its member', async () => {
    const first = await httpRequest(apache, { path: '/worker' })
    const cookie = /^TSGI_ROUTE=[^;]+/.exec(first.headerAll('set-cookie').join())?.[0]
    expect(cookie).toMatch(/^TSGI_ROUTE=\.[123]$/)
    expect(await workersAsked(10, cookie)).toEqual(new Set([first.text]))
  })

  test('a member that is gone is passed over, for POST too, and the standby answers when all are', async () => {
    const [first, second, third] = pool.members
    await first.stop()
    for (let request = 0; request < 10; request += 1) {
      expect((await httpRequest(apache, { method: 'POST', path: '/sum', body: 'x' })).status).toBe(200)
    }
    await second.stop()
    await third.stop()
    expect(await workersAsked(5)).toEqual(workersOf(pool.standby))
  })
})
