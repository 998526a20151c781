/** Applications as their users write them, through real nginx: examples/, over uwsgi and over FastCGI. */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { builtNextjs } from '../../scripts/build-nextjs.mjs'
import { httpRequest, openHttp } from '../support/http-client.ts'
import { type Front, startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { type Check, FRAMEWORKS, type Framework } from './frameworks.ts'

const root = join(import.meta.dirname, '..', '..')
const examples = join(root, 'examples')
const ownApps = join(import.meta.dirname, 'apps')

type Name = 'uwsgi' | 'fastcgi' | 'scgi'

interface Running {
  readonly tsgi: Tsgi
  readonly front: Front
  readonly ports: Readonly<Record<Name, number>>
}

async function startExample(app: string, args: readonly string[]): Promise<Running> {
  const sockets = { uwsgi: socketPath(), fastcgi: socketPath(), scgi: socketPath() }
  const tsgi = await startTsgi({
    app: resolve(examples, app),
    env: { NEXT_TELEMETRY_DISABLED: '1' },
    args: [
      ...args,
      ...['--uwsgi', sockets.uwsgi, '--fastcgi', sockets.fastcgi, '--scgi', sockets.scgi],
      ...['--workers', '1', '--graceful-timeout', '1'],
    ],
  })
  const site = (file: string, socket: string) => ({
    file,
    substitutions: { 'unix:/run/tsgi/app.sock': `unix:${socket}` },
  })
  const front = await startNginx({
    sites: [site('app.conf', sockets.uwsgi), site('fastcgi.conf', sockets.fastcgi), site('scgi.conf', sockets.scgi)],
  })
  const [uwsgi = 0, fastcgi = 0, scgi = 0] = front.ports
  return { tsgi, front, ports: { uwsgi, fastcgi, scgi } }
}

/** Runs `body` with the example, or another application by its absolute path, started for all its tests. */
function withExample(app: string, body: (running: () => Running) => void, args: readonly string[] = []): void {
  describeWith(['nginx'], [app.replace(`${ownApps}/`, '').replace(`${root}/`, ''), ...args].join(' '), () => {
    let running: Running | undefined
    beforeAll(async () => {
      running = await startExample(app, args)
    })
    afterAll(async () => {
      await running?.front.stop()
      await running?.tsgi.stop()
    })
    body(() => running ?? notStarted())
  })
}

function notStarted(): never {
  throw new Error('not started')
}

const json = (value: unknown) => ({
  method: 'POST',
  headers: [['Content-Type', 'application/json']] as const,
  body: JSON.stringify(value),
})

const protocols: readonly Name[] = ['uwsgi', 'fastcgi']

type AskSpec = Omit<Parameters<typeof httpRequest>[1], 'path'>

const asker =
  (running: () => Running, protocol: Name) =>
  (path: string, request: AskSpec = {}) =>
    httpRequest({ port: running().ports[protocol] }, { path, ...request })

/** Each as docs/frameworks.md names it. */
const RUN: Readonly<Record<Check, (running: () => Running, framework: Framework) => void>> = {
  greets: (running, framework) => {
    test.each(protocols)('greets over %s, and HEAD has the head and no body', async (protocol) => {
      const ask = asker(running, protocol)
      const hello = await ask('/')
      expect([hello.status, hello.text, hello.complete]).toEqual([200, framework.greeting, true])
      const head = await ask('/', { method: 'HEAD' })
      expect([head.status, head.bodyBytes]).toEqual([200, 0])
    })
  },
  echoes: (running) => {
    test.each(protocols)('echoes JSON over %s', async (protocol) => {
      const echoed = await asker(running, protocol)('/echo', json({ a: ['ä', 1] }))
      expect([echoed.status, JSON.parse(echoed.text)]).toEqual([201, { a: ['ä', 1] }])
    })
  },
  knows: (running) => {
    test.each(protocols)('knows route and client over %s', async (protocol) => {
      const user = await asker(running, protocol)('/users/7?x=1')
      expect(JSON.parse(user.text)).toMatchObject({ id: '7', ip: '127.0.0.1' })
    })
  },
  notFound: (running) => {
    test.each(protocols)('says what it does not know over %s', async (protocol) => {
      expect((await asker(running, protocol)('/no/such/page')).status).toBe(404)
    })
  },
  fails: (running) => {
    test.each(protocols)('answers an error of a handler over %s as it does elsewhere', async (protocol) => {
      expect((await asker(running, protocol)('/fails')).status).toBe(503)
    })
  },
  graphql: (running) => {
    test.each(protocols)('answers GraphQL over %s', async (protocol) => {
      const ask = asker(running, protocol)
      const query = async (text: string) => JSON.parse((await ask('/graphql', json({ query: text }))).text)
      expect(await query('{ hello(name: "a") }')).toEqual({ data: { hello: 'Hello, a!' } })
      const said = (await query('mutation { say(text: "b") }')).data.say
      expect((await query('{ messages }')).data.messages.length).toBe(said)
      expect((await ask('/graphql', json({ query: '{ nothing }' }))).text).toContain('Cannot query field')
      const events = await ask('/graphql', {
        ...json({ query: 'subscription { countdown(from: 2) }' }),
        headers: [
          ['Content-Type', 'application/json'],
          ['Accept', 'text/event-stream'],
        ],
      })
      expect(events.text.match(/"countdown":\d/g)).toEqual(['"countdown":2', '"countdown":1'])
    })
  },
  nextjs: (running) => {
    test('listens by itself, and is taken over', async () => {
      await running().tsgi.waitForLog(/server\.js wanted to listen on port 3000/)
    })

    test.each(protocols)('renders a page for this client over %s, and has its files', async (protocol) => {
      const ask = asker(running, protocol)
      const page = await ask('/')
      expect([page.status, page.header('Content-Type')]).toEqual([200, 'text/html; charset=utf-8'])
      expect(page.text).toContain('<h1>Hello from Next.js!</h1><p>Welcome, stranger from 127.0.0.1.</p>')
      const [, script = ''] = /src="(\/_next\/static\/[^"]+\.js)"/.exec(page.text) ?? []
      const loaded = await ask(script)
      expect([loaded.status, loaded.complete]).toEqual([200, true])
      expect(loaded.header('Cache-Control')).toContain('immutable')
      const logo = await ask('/logo.svg')
      expect([logo.status, logo.header('Content-Type')]).toEqual([200, 'image/svg+xml'])
      const head = await ask('/', { method: 'HEAD' })
      expect([head.status, head.bodyBytes]).toEqual([200, 0])
      expect((await ask('/no/such/page')).status).toBe(404)
    })

    test.each(protocols)('answers JSON over %s, and gives a megabyte back', async (protocol) => {
      const ask = asker(running, protocol)
      expect(JSON.parse((await ask('/api/hello?name=Zo%C3%AB')).text)).toEqual({ hello: 'Zoë' })
      const large = { text: 'ä'.repeat(500_000) }
      const echoed = await ask('/api/hello', json(large))
      expect([echoed.status, echoed.complete]).toEqual([201, true])
      expect(JSON.parse(echoed.text)).toEqual(large)
    })

    test.each(protocols)('runs the server action of a form over %s', async (protocol) => {
      const ask = asker(running, protocol)
      const [, action = ''] = /name="(\$ACTION_ID_[0-9a-f]+)"/.exec((await ask('/')).text) ?? []
      const form = new FormData()
      form.set(action, '')
      form.set('name', 'Zoë')
      const encoded = new Response(form)
      const signed = await ask('/', {
        method: 'POST',
        headers: [
          ['Content-Type', encoded.headers.get('content-type') ?? ''],
          ['Origin', `http://127.0.0.1:${running().ports[protocol]}`],
        ],
        body: new Uint8Array(await encoded.arrayBuffer()),
      })
      expect([signed.status, signed.header('Location')]).toEqual([303, '/'])
      const [cookie = ''] = (signed.header('Set-Cookie') ?? '').split(';')
      expect((await ask('/', { headers: [['Cookie', cookie]] })).text).toContain('Welcome, Zoë from')
    })

    test.each(protocols)('streams a page over %s: the fallback first', async (protocol) => {
      const chunks: string[] = []
      const target = { port: running().ports[protocol] }
      const response = await httpRequest(target, { path: '/slow', onBody: (chunk) => chunks.push(chunk.toString()) })
      expect(response.complete).toBe(true)
      const indexOf = (text: string) => chunks.findIndex((chunk) => chunk.includes(text))
      expect(indexOf('Counting ...')).toBeGreaterThanOrEqual(0)
      expect(indexOf('The figures are here.')).toBeGreaterThan(indexOf('Counting ...'))
    })
  },
  gigantic: (running) => {
    test('says in its log what was taken over', async () => {
      await running().tsgi.waitForLog(/wanted to listen on port 3000/)
    })

    test.each(protocols)('answers over %s, and gives 5 MB back', async (protocol) => {
      const target = { port: running().ports[protocol] }
      expect((await httpRequest(target, { path: '/a%20b?c' })).text).toBe('GET /a%20b?c from 127.0.0.1\n')
      const body = Buffer.alloc(5_000_000, 'tsgi')
      const echoed = await httpRequest(target, { method: 'POST', path: '/', body })
      expect(echoed.body.equals(body)).toBe(true)
      expect(echoed.complete).toBe(true)
    })
  },
  events: (running) => {
    test.each(protocols)('streams events over %s', async (protocol) => {
      const response = await httpRequest({ port: running().ports[protocol] }, { path: '/events' })
      expect(response.text.match(/^data: .*$/gm)).toEqual(['data: tick 1', 'data: tick 2', 'data: tick 3'])
    })
  },
  leaves: (running) => {
    test.each(protocols)('sends each event when it happens, over %s, and sees the client leave', async (protocol) => {
      const connection = await openHttp({ port: running().ports[protocol] })
      connection.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
      const events: string[] = []
      const reading = connection
        .readResponse({
          onBody: (chunk) => {
            events.push(chunk.toString())
            if (events.length === 2) connection.destroy()
          },
        })
        .catch((error: unknown) => error)
      await reading
      expect(events.join('')).toContain('data: tick 2')
      await running().tsgi.waitForLog(/client left after/)
    })
  },
  uploads: (running, framework) => {
    const content = Buffer.alloc(2_000_000, 'upload')
    const sha256 = createHash('sha256').update(content).digest('hex')
    test.each(protocols)('takes a file over %s', async (protocol) => {
      const form = new FormData()
      form.set('file', new Blob([content]), 'file.bin')
      const encoded = new Response(form)
      const response = await httpRequest(
        { port: running().ports[protocol] },
        {
          method: 'POST',
          path: `/${framework.packageName}`,
          headers: [['Content-Type', encoded.headers.get('content-type') ?? '']],
          body: new Uint8Array(await encoded.arrayBuffer()),
        },
      )
      expect(JSON.parse(response.text)).toEqual({ name: 'file.bin', bytes: content.length, sha256 })
    })
  },
  webSocket: (running) => {
    test.each(['uwsgi', 'scgi'] as const)('talks over %s', async (protocol) => {
      const socket = new WebSocket(`ws://127.0.0.1:${running().ports[protocol]}/ws`)
      await once(socket, 'open')
      const large = 'x'.repeat(300_000)
      for (const text of ['hello', large]) {
        const heard = once(socket, 'message')
        socket.send(text)
        expect(String((await heard)[0])).toBe(`127.0.0.1: ${text}`)
      }
      socket.close(4001, 'enough')
      expect((await once(socket, 'close'))[0]).toBe(4001)
    })

    test('hears 1001 when its worker drains', async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${running().ports.uwsgi}/ws`)
      await once(socket, 'open')
      running().tsgi.signal('SIGHUP')
      expect((await once(socket, 'close'))[0]).toBe(1001)
    })

    test('is refused over FastCGI with 501, and the log says what to use', async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${running().ports.fastcgi}/ws`)
      const [, response] = await once(socket, 'unexpected-response')
      expect(response.statusCode).toBe(501)
      await running().tsgi.waitForLog(/answered 501.*uwsgi_pass or scgi_pass/)
    })
  },
  socketIo: (running) => {
    test.each([
      ['uwsgi', 'websocket'],
      ['uwsgi', 'polling'],
      ['fastcgi', 'polling'],
    ] as const)('over %s by %s', async (protocol, transport) => {
      const client = io(`http://127.0.0.1:${running().ports[protocol]}`, {
        transports: [transport],
        reconnection: false,
      })
      const welcomed = new Promise((resolve, reject) => {
        client.on('welcome', resolve)
        client.on('connect_error', reject)
      })
      expect(await welcomed).toBe(transport)
      expect(await client.emitWithAck('say', 'hi')).toBe('heard hi')
      client.close()
    })
  },
}

for (const framework of FRAMEWORKS) {
  const served = framework.isBuilt === true ? builtNextjs() : framework.example
  const define = (running: () => Running) =>
    describe(framework.name, () => {
      for (const check of framework.checks) RUN[check](running, framework)
    })
  if (served !== undefined) withExample(served, define)
  else
    describe.skip(`${framework.example} (not built: node scripts/build-nextjs.mjs)`, () => {
      define(notStarted)
    })
}

withExample(
  join(ownApps, 'kept-classes.ts'),
  (running) => {
    test.each(protocols)('makes a Request of the request with a class from before, over %s', async (protocol) => {
      const request = { method: 'POST', path: '/a', body: 'b' }
      const response = await httpRequest({ port: running().ports[protocol] }, request)
      expect(response.text).toBe('POST /a t1 b')
    })
  },
  ['--interface', 'fetch'],
)

withExample(join(ownApps, 'traced.ts'), (running) => {
  test.each(protocols)('OpenTelemetry makes a server span with route and status over %s', async (protocol) => {
    const ask = asker(running, protocol)
    expect((await ask(`/users/${protocol}`)).text).toBe('found')
    const spans: SpanRecord[] = JSON.parse((await ask('/spans')).text)
    const span = spans.find(({ kind, attributes }) => kind === 1 && attributes['http.target'] === `/users/${protocol}`)
    expect(span).toMatchObject({
      name: 'GET /users/:id',
      attributes: { 'http.route': '/users/:id', 'http.status_code': 203, 'http.method': 'GET' },
    })
  })
})

interface SpanRecord {
  readonly kind: number
  readonly attributes: Readonly<Record<string, unknown>>
}

describe.each([
  ['the first', [], 'the site', /on port 3000: its requests come/, /on port 9100 as well: nothing listens there/],
  [
    'the named one',
    ['--app-port', '9100'],
    'the figures',
    /on port 9100: its requests come/,
    /on port 3000 as well: nothing listens there/,
  ],
] as const)('of two servers %s', (_name, args, text, served, left) => {
  withExample(
    join(ownApps, 'two-servers.ts'),
    (running) => {
      test('is served, and the log says what became of the other', async () => {
        expect((await httpRequest({ port: running().ports.uwsgi }, { path: '/' })).text).toBe(text)
        await running().tsgi.waitForLog(served)
        await running().tsgi.waitForLog(left)
      })
    },
    args,
  )
})
