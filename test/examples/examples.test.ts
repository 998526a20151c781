import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type HttpResponse, httpRequest, type RequestSpec } from '../support/http-client.ts'
import { type Front, startNginx } from '../support/nginx.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const NAMES = ['hello', 'routing', 'form', 'middleware', 'dispatch', 'errors', 'streaming', 'welcome'] as const
type Name = (typeof NAMES)[number]

/** Every example behind one nginx, with the file of nginx/ that users copy. */
const served = new Map<Name, Tsgi>()
let nginx: Front

beforeAll(async () => {
  const sockets = NAMES.map(() => socketPath())
  await Promise.all(
    NAMES.map(async (name, index) => {
      const app = join(import.meta.dirname, '..', '..', 'examples', name, 'app.ts')
      served.set(name, await startTsgi({ app, args: ['--uwsgi', sockets[index] ?? '', '--workers', '1'] }))
    }),
  )
  nginx = await startNginx({
    sites: NAMES.map((name, index) => ({
      file: 'app.conf',
      substitutions: {
        'unix:/run/tsgi/app.sock': `unix:${sockets[index]}`,
        'upstream tsgi_app': `upstream ${name}`,
        'uwsgi_pass tsgi_app': `uwsgi_pass ${name}`,
        'include tsgi/http_host.conf;': index === 0 ? 'include tsgi/http_host.conf;' : '',
      },
    })),
  })
})

afterAll(async () => {
  await nginx?.stop()
  await Promise.all([...served.values()].map((tsgi) => tsgi.stop()))
})

function ask(name: Name, request: RequestSpec | string): Promise<HttpResponse> {
  const port = nginx.ports[NAMES.indexOf(name)] ?? 0
  return httpRequest({ port }, typeof request === 'string' ? { path: request } : request)
}

const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const

describe('the examples, behind nginx over uwsgi', () => {
  test('hello', async () => {
    const response = await ask('hello', '/')
    expect([response.status, response.text, response.header('Content-Length')]).toEqual([200, 'Hello, World!', '13'])
  })

  test.each<[string, string, number, string]>([
    ['GET', '/', 200, 'Try /articles'],
    ['GET', '/articles', 200, '{"1":"The first article","2":"Ein zweiter Artikel über Füchse"}'],
    ['GET', '/articles/2', 200, 'Füchse'],
    ['GET', '/articles/9', 404, 'no such article'],
    ['GET', '/hello/J%C3%BCrgen', 200, 'Hello, Jürgen!'],
    ['GET', '/hello/%FF', 400, 'no UTF-8'],
    ['GET', '/none', 404, 'There is nothing at /none'],
    ['POST', '/articles', 405, ''],
    ['HEAD', '/articles', 200, ''],
    ['DELETE', '/articles/1', 204, ''],
    ['GET', '/articles/1', 404, 'no such article'],
  ])('routing: %s %s', async (method, path, code, text) => {
    const response = await ask('routing', { method, path })
    expect(response.status).toBe(code)
    expect(response.text).toContain(text)
    if (text === '') expect(response.bodyBytes).toBe(0)
    if (code === 405) expect(response.header('Allow')).toBe('GET')
  })

  test('form: shown, read, and its input escaped', async () => {
    expect((await ask('form', '/')).text).toContain('<form method="post">')
    const body = new URLSearchParams({ name: 'Zoë', message: '<b>"hi"' }).toString()
    const answer = await ask('form', { method: 'POST', path: '/', headers: FORM, body })
    expect(answer.text).toContain('Zoë says: &#60;b&#62;&#34;hi&#34;')
  })

  test('form: what is too large, of another type or method is refused', async () => {
    const large = await ask('form', {
      method: 'POST',
      path: '/',
      headers: FORM,
      body: `message=${'x'.repeat(200_000)}`,
    })
    expect(large.status).toBe(413)
    expect((await ask('form', { method: 'POST', path: '/', body: 'x' })).status).toBe(415)
    expect((await ask('form', { method: 'PUT', path: '/', body: 'x' })).header('Allow')).toBe('GET, HEAD, POST')
  })

  test('middleware: a header, a changed body, and a line in the log after the response', async () => {
    const response = await ask('middleware', '/x')
    expect(response.text).toBe('HELLO FROM THE INSIDE\n')
    expect(response.header('X-Served-By')).toBe('tsgi')
    expect(response.header('Content-Length')).toBe('22')
    await served.get('middleware')?.waitForLog(/GET \/x: 200, 22 bytes, [\d.]+ ms/)
  })

  test.each<[string, string, string]>([
    ['/', 'any.example', 'site'],
    ['/blog/x', 'any.example', 'blog'],
    ['/blogger', 'any.example', 'site'],
    ['/api/v2/x', 'any.example', 'api, version 2'],
    ['/blog/x', 'admin.localhost', 'administration'],
  ])('dispatch: %s on %s', async (path, host, expected) => {
    const { text } = await ask('dispatch', { path, headers: [['Host', host]] })
    expect(text.split('\n')[0]).toBe(expected)
    expect(text).toContain(`asked for   http://${host}${path}\n`)
  })

  test.each<[string, number, string]>([
    ['/', 404, 'Try /before'],
    ['/forbidden', 403, 'Not for you.'],
    ['/before', 500, 'Something went wrong on our side.'],
    ['/first-chunk', 500, 'Something went wrong on our side.'],
  ])('errors: %s', async (path, code, text) => {
    const response = await ask('errors', path)
    expect([response.status, response.complete]).toEqual([code, true])
    expect(response.text).toContain(text)
    expect(response.text).not.toContain('thrown')
  })

  test('errors: midway nothing is added to what went out, and the log has the stack in TypeScript', async () => {
    const response = await ask('errors', '/midway')
    expect(response.text).not.toContain('wrong on our side')
    await served.get('errors')?.waitForLog(/thrown after 2 chunks/)
    const stack = served
      .get('errors')
      ?.records()
      .find(({ msg }) => String(msg).includes('errors/app.ts'))
    expect(stack).toBeDefined()
  })

  test('streaming: a generator, and a body read piece by piece', async () => {
    const numbers = await ask('streaming', '/numbers')
    expect(numbers.text.split('\n').slice(0, -1)).toEqual(Array.from({ length: 1000 }, (_, index) => String(index + 1)))
    const body = Buffer.alloc(3_000_000, 'streamed ')
    const digest = await ask('streaming', { method: 'POST', path: '/digest', body })
    expect(digest.text).toBe(`3000000 bytes, SHA-256 ${createHash('sha256').update(body).digest('hex')}\n`)
  })

  test('streaming: each tick arrives before the next is made', async () => {
    const arrivals: number[] = []
    const { text } = await ask('streaming', { path: '/clock', onBody: () => arrivals.push(performance.now()) })
    expect(text === '' || text.startsWith('tick 1')).toBe(true)
    expect(arrivals.length).toBeGreaterThanOrEqual(4)
    expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(400)
  })

  test('streaming: the clock stops when the visitor leaves', async () => {
    const tsgi = served.get('streaming')
    const stops = () => tsgi?.records().filter(({ msg }) => msg === 'the clock stopped').length ?? 0
    const before = stops()
    const leave = new Error('left')
    const onBody = () => {
      throw leave
    }
    await expect(ask('streaming', { path: '/clock', onBody })).rejects.toBe(leave)
    await until('the clock to stop', () => (stops() > before ? true : undefined))
  })

  test('welcome: the environ of the request, without its secrets, and the examples mounted', async () => {
    const headers = [
      ['X-Shown', 'caf\u00c3\u00a9 <b>'],
      ['Cookie', 'session=1234'],
    ] as const
    const { text } = await ask('welcome', { path: '/?a=b', headers })
    expect(text).toContain('<tr><th>QUERY_STRING</th><td>a=b</td></tr>')
    expect(text).toContain('<td>café &#60;b&#62;</td>')
    expect(text).toContain('<th>HTTP_COOKIE</th><td>(hidden)</td>')
    expect(text).not.toContain('1234')
    for (const [, path = ''] of text.matchAll(/class="card" href="([^"]+)"/g)) {
      const { status } = await ask('welcome', path)
      expect(status, path).toBe(path.startsWith('/errors') ? 500 : 200)
    }
    expect((await ask('welcome', '/favicon.ico')).status).toBe(404)
  })
})
