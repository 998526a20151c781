/** The other site files of nginx/, each doing what it is there for. (fastcgi.conf and scgi.conf are in the matrix.) */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { type HttpResponse, httpRequest, openHttp } from '../support/http-client.ts'
import { constantLoad } from '../support/load.ts'
import type { Front } from '../support/nginx.ts'
import { nginxFolder, startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { type Pool, startPool, workersOf } from './pool.ts'
import { behavioursApp } from './start-pair.ts'

const get = (front: Front, path: string): Promise<HttpResponse> => httpRequest(front, { path })

async function startBehind(file: string, substitutions: Record<string, string> = {}): Promise<[Tsgi, Front]> {
  const path = socketPath()
  const tsgi = await startTsgi({ app: behavioursApp, args: ['--uwsgi', path, '--workers', '1'] })
  const all = { 'unix:/run/tsgi/app.sock': `unix:${path}`, ...substitutions }
  return [tsgi, await startNginx({ sites: [{ file, substitutions: all }] })]
}

describeWith(['nginx'], 'nginx/load-balancing.conf', () => {
  let pool: Pool
  let nginx: Front

  beforeAll(async () => {
    pool = await startPool(['--graceful-timeout', '2'])
    nginx = await startNginx({ sites: [{ file: 'load-balancing.conf', substitutions: pool.substitutions }] })
  })

  async function workersAsked(requests: number): Promise<Set<string>> {
    const workers = new Set<string>()
    for (let request = 0; request < requests; request += 1) workers.add((await get(nginx, '/worker')).text)
    return workers
  }

  test('requests go to every instance, on sockets and TCP, and not to the backup', async () => {
    expect(await workersAsked(30)).toEqual(workersOf(...pool.members))
  })

  test('an instance killed under load costs nothing but what it was working on', async () => {
    const connections = 8
    const load = constantLoad({ url: `${nginx.url}/path/load`, connections })
    await until('load', () => load.tally().total > 500)
    const [victim, ...others] = pool.members
    for (const pid of victim.workerPids()) process.kill(pid, 'SIGKILL')
    victim.signal('SIGKILL')
    const killedAt = load.tally().total
    await until('load after the kill', () => load.tally().total > killedAt + 2_000)
    const { statuses, errors, total } = await load.stop()
    expect(errors).toEqual({})
    expect(statuses[200]).toBeGreaterThanOrEqual(total - connections)
    expect(await workersAsked(20)).toEqual(workersOf(...others))
  })

  test('a POST that an instance lost is answered 502 and not sent to another one', async () => {
    const alive = [...pool.members.slice(1), pool.standby]
    const before = alive.map((tsgi) => tsgi.process.lines.length)
    /** Which instances the application said so in, once for each time. */
    const takers = (): Tsgi[] =>
      alive.flatMap((tsgi, index) =>
        tsgi.process.lines
          .slice(before[index])
          .filter((line) => line.includes('waiting'))
          .map(() => tsgi),
      )
    const asked = httpRequest(nginx, { method: 'POST', path: '/wait', body: 'order' })
    const taker = await until('an instance that took it', () => takers()[0])
    for (const pid of taker.workerPids()) process.kill(pid, 'SIGKILL')
    expect((await asked).status).toBe(502)
    expect(takers()).toHaveLength(1)
  })

  test('the backup answers when no other instance is left', async () => {
    for (const member of pool.members) await member.stop()
    const workers = await workersAsked(5)
    expect(workers).toEqual(workersOf(pool.standby))
  })
})

describeWith(['nginx'], 'nginx/accel.conf', () => {
  let nginx: Front

  beforeAll(async () => {
    const folder = tempDir('tsgi-protected-')
    mkdirSync(join(folder, 'sub'))
    writeFileSync(join(folder, 'report.pdf'), '%PDF of a kind')
    ;[, nginx] = await startBehind('accel.conf', { '/srv/app/protected/': `${folder}/` })
  })

  test('nginx sends the file that the application names, with the headers of the application', async () => {
    const response = await get(nginx, '/accel?file=report.pdf')
    expect([response.status, response.text]).toEqual([200, '%PDF of a kind'])
    expect(response.header('content-type')).toBe('application/pdf')
    expect(response.header('content-disposition')).toBe('attachment; filename="report.pdf"')
    expect(response.header('x-accel-redirect')).toBeUndefined()
  })

  test('a range of it is a range', async () => {
    const response = await httpRequest(nginx, { path: '/accel?file=report.pdf', headers: [['Range', 'bytes=1-3']] })
    expect([response.status, response.text]).toEqual([206, 'PDF'])
  })

  test('a client cannot ask for the file itself', async () => {
    expect((await get(nginx, '/protected/report.pdf')).status).toBe(404)
  })
})

describeWith(['nginx'], 'nginx/cache.conf', () => {
  let nginx: Front

  beforeAll(async () => {
    ;[, nginx] = await startBehind('cache.conf', { '/var/cache/nginx/tsgi': tempDir('tsgi-cache-') })
  })

  test('within a second everybody gets the same page, and afterwards a new one', async () => {
    const first = await get(nginx, '/count')
    const second = await get(nginx, '/count')
    expect([first.header('x-cache'), second.header('x-cache')]).toEqual(['MISS', 'HIT'])
    expect(second.text).toBe(first.text)
    await until('a new page', async () => (await get(nginx, '/count')).text !== first.text)
  })

  test('who asks for the head of a page of unknown length does not empty it for the others', async () => {
    const path = '/download?bytes=5'
    expect((await httpRequest(nginx, { method: 'HEAD', path })).status).toBe(200)
    expect((await get(nginx, path)).body).toHaveLength(5)
  })

  test('a private page and a client with a session are never served from the cache', async () => {
    const session = [['Cookie', 'session=1']] as const
    const ask = async (path: string, headers: readonly (readonly [string, string])[] = []): Promise<string> =>
      (await httpRequest(nginx, { path, headers })).text
    expect(await ask('/count-private')).not.toBe(await ask('/count-private'))
    expect(await ask('/count?of=me', session)).not.toBe(await ask('/count?of=me', session))
  })

  test('a page that is too old is served while the application fails', async () => {
    expect((await get(nginx, '/flaky')).text).toBe('fine')
    await get(nginx, '/fail-next')
    const stale = await until('the page is stale', async () => {
      const response = await get(nginx, '/flaky')
      return response.header('x-cache') === 'STALE' || response.header('x-cache') === 'UPDATING' ? response : undefined
    })
    expect([stale.status, stale.text]).toEqual([200, 'fine'])
  })
})

describeWith(['nginx'], 'nginx/websocket.conf', () => {
  let nginx: Front

  beforeAll(async () => {
    ;[, nginx] = await startBehind('websocket.conf', { 'location /ws {': 'location /upgrade {', '/events': '/stream' })
  })

  test('an upgraded connection carries bytes both ways, and the other locations go on', async () => {
    const connection = await openHttp(nginx)
    connection.send('GET /upgrade HTTP/1.1\r\nHost: x.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    expect((await connection.readResponse()).status).toBe(101)
    for (const word of ['one', 'two']) {
      connection.send(word)
      expect((await connection.read(3)).toString()).toBe(word)
    }
    connection.destroy()
    expect((await get(nginx, '/path/')).status).toBe(200)
  })

  test('an event reaches the client before the next one is made', async () => {
    let arrived = ''
    const streamed = httpRequest(nginx, { path: '/stream', onBody: (chunk) => (arrived += chunk.toString()) })
    await until('the first event', () => arrived === 'first\n')
    await get(nginx, '/release')
    await streamed
    expect(arrived).toBe('first\nsecond\n')
  })
})

describeWith(['nginx', 'openssl'], 'nginx/tls.conf', () => {
  test('nginx and tsgi prove themselves to each other, and nobody else gets in', async () => {
    const authority = makeAuthority()
    const server = authority.sign('tsgi.internal')
    const client = authority.sign('nginx')
    const port = await freePort()
    const tls = ['--tls-cert', server.certificate, '--tls-key', server.key, '--tls-client-ca', authority.file]
    const args = ['--uwsgi', `127.0.0.1:${port}`, '--workers', '1', ...tls]
    const tsgi = await startTsgi({ app: behavioursApp, args })
    const addresses = { '127.0.0.1:9443': `127.0.0.1:${port}`, '/etc/ssl/tsgi/ca.pem': authority.file }
    const right = { '/etc/ssl/tsgi/nginx.pem': client.certificate, '/etc/ssl/tsgi/nginx.key': client.key }
    const stranger = makeAuthority().sign('stranger')
    const wrong = { '/etc/ssl/tsgi/nginx.pem': stranger.certificate, '/etc/ssl/tsgi/nginx.key': stranger.key }
    const otherName = { ...right, 'uwsgi_ssl_name tsgi.internal;': 'uwsgi_ssl_name other.internal;' }
    const start = (substitutions: Record<string, string>): Promise<Front> =>
      startNginx({ sites: [{ file: 'tls.conf', substitutions: { ...addresses, ...substitutions } }] })

    const nginx = await start(right)
    expect((await get(nginx, '/path/tls')).status).toBe(200)
    const upload = await httpRequest(nginx, { method: 'POST', path: '/sum', body: Buffer.alloc(3_000_000) })
    expect(JSON.parse(upload.text).bytes).toBe(3_000_000)
    expect((await get(await start(wrong), '/path/tls')).status).toBe(502)
    expect((await get(await start(otherName), '/path/tls')).status).toBe(502)
    await tsgi.stop()
  })
})

/** The others are pieces of a site, whole configurations, or (replicas-tcp.conf) replicas.conf for another network. */
function isSite(file: string): boolean {
  const text = readFileSync(join(nginxFolder, file), 'utf8')
  return text.includes('listen 80;') && !text.includes('http {') && file !== 'replicas-tcp.conf'
}

describeWith(['nginx', 'openssl'], 'all site files of nginx/', () => {
  test('stand beside each other in one nginx', async () => {
    const authority = makeAuthority()
    const { certificate, key } = authority.sign('nginx')
    const particular: Record<string, Record<string, string>> = {
      'tls.conf': {
        '/etc/ssl/tsgi/ca.pem': authority.file,
        '/etc/ssl/tsgi/nginx.pem': certificate,
        '/etc/ssl/tsgi/nginx.key': key,
      },
      'cache.conf': { '/var/cache/nginx/tsgi': tempDir('tsgi-cache-') },
    }
    const sites = readdirSync(nginxFolder).filter((file) => file.endsWith('.conf') && isSite(file))
    const nginx = await startNginx({ sites: sites.map((file) => ({ file, substitutions: particular[file] ?? {} })) })
    const statuses = await Promise.all(
      nginx.ports.map(async (port) => (await httpRequest({ port }, { path: '/' })).status),
    )
    // Nothing listens behind them.
    expect(statuses).toEqual(sites.map(() => 502))
    await nginx.stop()
  })
})
