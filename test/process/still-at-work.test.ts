/** A response that is over, or a client that has left, while the application is still at work. */

import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createFastcgiResponseParser, encodeFastcgiRequest } from '../../src/client/fastcgi.ts'
import { collectResponse, type ResponseEvent } from '../../src/client/request.ts'
import { askOver, encodeAsk } from '../support/ask-over.ts'
import { stopAfterTests } from '../support/started.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

/** `/gate/NAME` lets go who waits for it, and says what waits; `say` writes a line that the tests wait for. */
const COMMON = `
import { writeSync } from 'node:fs'
const waiting = new Map()
const gate = (name) => new Promise((resolve) => waiting.set(name, resolve))
const say = (text) => writeSync(2, text + '\\n')
const open = (path) => {
  const names = [...waiting.keys()].join(' ')
  waiting.get(path.split('/')[2])?.()
  return names
}
`

const ENVIRON_APP = `${COMMON}
const encode = (text) => new TextEncoder().encode(text)
export const application = async (environ, startResponse) => {
  const path = environ.PATH_INFO
  if (path.startsWith('/gate')) {
    startResponse('200 OK', [])
    return [encode(open(path))]
  }
  if (path === '/ack') {
    await startResponse('204 No Content', [])(new Uint8Array(0))
    await gate('ack')
    throw new Error('the queue is down')
  }
  if (path === '/exact') {
    environ['tsgi.signal'].addEventListener('abort', () => say('exact: signal'))
    environ['tsgi.after'](({ status, bytes, aborted }) => say(\`exact: \${status} \${bytes} \${aborted}\`))
    startResponse('200 OK', [['Content-Length', '5']])
    return (async function* () {
      yield encode('whole')
      await gate('exact')
      say('exact: goes on')
    })()
  }
  if (path === '/endless') {
    environ['tsgi.after'](async () => {
      await new Promise((resolve) => setImmediate(resolve))
      say('endless: after')
    })
    startResponse('200 OK', [])
    return (async function* () {
      try {
        for (;;) {
          yield encode('tick')
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      } finally {
        await new Promise((resolve) => setImmediate(resolve))
        say('endless: finally')
      }
    })()
  }
  await gate('order')
  startResponse('200 OK', [])
  return [encode('order placed')]
}`

/** Charges, then saves, a while after the test says so by a file. */
const ORDER = `
import { appendFileSync, existsSync, writeSync } from 'node:fs'
const say = (text) => writeSync(2, text + '\\n')
const order = async () => {
  appendFileSync('orders', 'charged ')
  say('charged')
  while (!existsSync('go')) await new Promise((resolve) => setTimeout(resolve, 20))
  await new Promise((resolve) => setTimeout(resolve, 300))
  appendFileSync('orders', 'saved')
}`

const ORDERS: Readonly<Record<string, string>> = {
  environ: `${ORDER}
export const application = async (environ, startResponse) => {
  environ['tsgi.signal'].addEventListener('abort', () => say('left'))
  await order()
  startResponse('200 OK', [])
  return [new TextEncoder().encode('thanks')]
}`,
  fetch: `${ORDER}
export default { async fetch(request) {
  request.signal.addEventListener('abort', () => say('left'))
  await order()
  return new Response('thanks')
} }`,
  node: `${ORDER}
import { createServer } from 'node:http'
createServer(async (_request, response) => {
  response.on('close', () => say('left'))
  await order()
  response.end('thanks')
}).listen(3000)`,
}

interface Served {
  readonly tsgi: Tsgi
  readonly path: string
  readonly fastcgi: string
  readonly cwd: string
  readonly ask: (target: string) => Promise<string>
  readonly gate: (name: string) => Promise<void>
}

async function serve(code: string, ...args: string[]): Promise<Served> {
  const cwd = tempDir('tsgi-at-work-')
  const [path, fastcgi] = [join(cwd, 'app.sock'), join(cwd, 'fastcgi.sock')]
  writeFileSync(join(cwd, 'app.mjs'), code)
  const tsgi = await startTsgi({
    app: 'app.mjs',
    cwd,
    args: ['--uwsgi', path, '--fastcgi', fastcgi, '--workers', '1', ...args],
  })
  const ask = async (target: string): Promise<string> =>
    String((await askOver(connect(path), { protocol: 'uwsgi', path: target })).body)
  const gate = async (name: string): Promise<void> =>
    void (await until(`somebody waits at ${name}`, async () => (await ask(`/gate/${name}`)).split(' ').includes(name)))
  return { tsgi, path, fastcgi, cwd, ask, gate }
}

/** A kept connection: one request after the other. */
function keptConnection(path: string) {
  const socket = connect(path)
  stopAfterTests(() => socket.destroy())
  const send = async (target: string) => {
    const params = ['REQUEST_METHOD', 'GET', 'REQUEST_URI', target, 'PATH_INFO', target, 'SERVER_PROTOCOL', 'HTTP/1.1']
    const parser = createFastcgiResponseParser()
    const events: ResponseEvent[] = []
    const whole = new Promise<void>((resolve) => {
      const read = (bytes: Buffer): void => {
        events.push(...parser.feed(bytes))
        if (!events.some(({ kind }) => kind === 'end')) return
        socket.off('data', read)
        resolve()
      }
      socket.on('data', read)
      socket.once('close', () => resolve())
    })
    socket.write(Buffer.concat(encodeFastcgiRequest({ params }, { keepConnection: true })))
    await whole
    return collectResponse(events)
  }
  return { socket, send }
}

test('an application that fails behind its 204 fails nobody else on the same connection', async () => {
  const { tsgi, fastcgi, gate } = await serve(ENVIRON_APP)
  const { socket, send } = keptConnection(fastcgi)
  expect(await send('/ack')).toMatchObject({ status: 204, problem: undefined })
  const order = send('/order')
  await gate('ack')
  await tsgi.waitForLog(/the queue is down/)
  await gate('order')
  expect(await order).toMatchObject({ status: 200, problem: undefined, body: Buffer.from('order placed') })
  expect(socket.destroyed).toBe(false)
})

describe.each(['uwsgi', 'scgi', 'fastcgi'] as const)('over %s', (protocol) => {
  test('a response is over with the last byte of its Content-Length, and nobody is taken for gone', async () => {
    const socketOf = join(tempDir('tsgi-exact-'), 'app.sock')
    const { tsgi, gate } = await serve(ENVIRON_APP, `--${protocol}`, socketOf)
    const answer = await askOver(connect(socketOf), { protocol, path: '/exact' })
    expect(answer).toMatchObject({ status: 200, body: Buffer.from('whole'), problem: undefined })
    await gate('exact')
    await tsgi.waitForLog(/^exact: 200 5 false$/)
    expect(tsgi.process.lines.filter((line) => line.startsWith('exact'))).toEqual([
      'exact: goes on',
      'exact: 200 5 false',
    ])
  })
})

test('a listener that streams to a HEAD is told that nobody reads it', async () => {
  const { tsgi, path } = await serve(`
    import { createServer } from 'node:http'
    createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.flushHeaders()
      response.on('close', () => console.error('closed ' + request.method))
    }).listen(3000)`)
  const params = { REQUEST_METHOD: 'HEAD' }
  expect(await askOver(connect(path), { protocol: 'uwsgi', path: '/', params })).toMatchObject({ status: 200 })
  await tsgi.waitForLog(/closed HEAD/)
})

test.each(Object.entries(ORDERS))(
  'what is under way when its client leaves is done before the worker leaves (%s)',
  async (_kind, code) => {
    const { tsgi, path, cwd } = await serve(code)
    const socket = connect(path)
    socket.write(encodeAsk({ protocol: 'uwsgi', path: '/' }))
    await tsgi.waitForLog(/^charged$/)
    socket.destroy()
    await tsgi.waitForLog(/^left$/)
    tsgi.signal('SIGTERM')
    await tsgi.waitForLog(/drains: SIGTERM/)
    writeFileSync(join(cwd, 'go'), '')
    expect((await tsgi.process.exited).code).toBe(0)
    expect(readFileSync(join(cwd, 'orders'), 'utf8')).toBe('charged saved')
  },
)

test('an application that runs one request at a time does so after a client has left, too', async () => {
  const { tsgi, path, ask } = await serve(
    `let running = 0
    export const application = async (environ, startResponse) => {
      running += 1
      if (environ.PATH_INFO === '/left') {
        await new Promise((resolve) => environ['tsgi.signal'].addEventListener('abort', resolve))
        console.error('left')
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
      const answer = String(running--)
      startResponse('200 OK', [])
      return [new TextEncoder().encode(answer)]
    }`,
    ...['--max-concurrency', '1'],
  )
  const socket = connect(path)
  socket.write(encodeAsk({ protocol: 'uwsgi', path: '/left' }), () => socket.destroy())
  await tsgi.waitForLog(/left/)
  expect(await ask('/')).toBe('1')
})

test('the time for which a request waits for its turn does not count for its limit', async () => {
  const { fastcgi } = await serve(
    `export const application = async (environ, startResponse) => {
      await new Promise((resolve) => setTimeout(resolve, 700))
      startResponse('200 OK', [])
      return []
    }`,
    ...['--max-concurrency', '1', '--request-timeout', '1500ms'],
  )
  // On kept connections requests come past the cap, and queue up in the worker.
  const answers = await Promise.all([1, 2, 3, 4].map(() => keptConnection(fastcgi).send('/')))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
})

test('a time limit is not said of what runs behind a response that went out in time', async () => {
  const { tsgi, ask } = await serve(
    `export default { async fetch(request, env, context) {
      if (new URL(request.url).pathname === '/later') {
        context.waitUntil(new Promise((resolve) => setTimeout(resolve, 2500)).then(() => console.error('later: done')))
      }
      return new Response('now')
    } }`,
    ...['--request-timeout', '300ms'],
  )
  expect(await ask('/later')).toBe('now')
  await tsgi.waitForLog(/later: done/)
  expect(tsgi.process.lines.join('\n')).not.toContain('--request-timeout')
})

test.each(['SIGTERM', 'SIGINT'] as const)(
  'a stream that %s cuts off is closed, reported and logged',
  async (signal) => {
    const log = join(tempDir('tsgi-cut-'), 'access.log')
    const logging = ['--access-log', 'json', '--access-log-file', log, '--graceful-timeout', '500ms']
    const { tsgi, path } = await serve(ENVIRON_APP, ...logging)
    const socket: Socket = connect(path)
    socket.write(encodeAsk({ protocol: 'uwsgi', path: '/endless' }))
    await once(socket, 'data')
    tsgi.signal(signal)
    await tsgi.process.exited
    socket.destroy()
    expect(tsgi.process.lines.filter((line) => line.startsWith('endless'))).toEqual([
      'endless: finally',
      'endless: after',
    ])
    expect(existsSync(log) && JSON.parse(readFileSync(log, 'utf8'))).toMatchObject({ status: 200, aborted: true })
  },
)
