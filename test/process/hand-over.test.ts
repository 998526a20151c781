/** A kept connection outlives the worker that serves it: the front server sees neither a close nor a lost request. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFastcgiResponseParser, encodeFastcgiRequest } from '../../src/client/fastcgi.ts'
import { collectResponse, type ResponseEvent } from '../../src/client/request.ts'
import { isAlive } from '../support/proc.ts'
import { stopAfterTests } from '../support/started.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

/** `/size` answers with pid and body size; `/large` with the pid and a megabyte after it; `/told` writes its pid to the log first. */
const APPLICATION = `
export const application = async (environ, startResponse) => {
  if (environ.PATH_INFO === '/told') environ['tsgi.errors'].write('at work: ' + process.pid + '\\n')
  let bytes = 0
  for await (const chunk of environ['tsgi.input']) bytes += chunk.length
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  const padding = environ.PATH_INFO === '/large' ? ' '.repeat(1_000_000) : ''
  return [new TextEncoder().encode(process.pid + ' ' + bytes + padding)]
}`

interface Deployment {
  readonly tsgi: Tsgi
  readonly socket: string
  readonly reload: () => Promise<void>
}

async function deploy(workers: number, more: readonly string[] = []): Promise<Deployment> {
  const directory = tempDir('tsgi-hand-over-')
  const app = join(directory, 'app.mjs')
  writeFileSync(app, APPLICATION)
  const socket = join(directory, 'app.sock')
  // Far more than any test may take: nothing here waits for it.
  const args = ['--fastcgi', socket, '--workers', String(workers), '--graceful-timeout', '120', ...more]
  const tsgi = await startTsgi({ app, args })
  const reload = async (): Promise<void> => {
    const fromLine = tsgi.process.lines.length
    tsgi.signal('SIGHUP')
    await tsgi.waitForLog(/reloaded: generation \d+ serves/, { fromLine })
  }
  return { tsgi, socket, reload }
}

/** A front server's connection, one request after the other. */
class Kept {
  readonly socket: Socket
  #events: ResponseEvent[] = []
  #parser = createFastcgiResponseParser()
  #complete: () => void = () => undefined
  closed = false

  constructor(path: string) {
    this.socket = connect(path)
    stopAfterTests(() => this.socket.destroy())
    this.socket.on('data', (bytes) => {
      this.#events.push(...this.#parser.feed(bytes))
      if (this.#events.some(({ kind }) => kind === 'end')) this.#complete()
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.closed = true
      this.#complete()
    })
  }

  static async open(path: string): Promise<Kept> {
    const kept = new Kept(path)
    await once(kept.socket, 'connect')
    return kept
  }

  /** The bytes of a POST. */
  static encode(bytes: number, path = '/size'): Buffer {
    const params = ['REQUEST_METHOD', 'POST', 'REQUEST_URI', path, 'PATH_INFO', path, 'QUERY_STRING', '']
    const server = ['SERVER_PROTOCOL', 'HTTP/1.1', 'SERVER_NAME', 'localhost', 'SERVER_PORT', '80']
    const request = { params: [...params, ...server], body: Buffer.alloc(bytes, 'x') }
    return Buffer.concat(encodeFastcgiRequest(request, { keepConnection: true }))
  }

  /** What the application answers to what was sent: its pid and the size of the body. */
  async answer(): Promise<readonly [pid: number, bytes: number]> {
    const complete = this.#events.some(({ kind }) => kind === 'end')
    if (!complete && !this.closed) await new Promise<void>((resolve) => (this.#complete = resolve))
    const events = this.#events
    this.#events = []
    this.#parser = createFastcgiResponseParser()
    const { status, body } = collectResponse(events)
    expect(status).toBe(200)
    const [pid, bytes] = body.toString('latin1').trim().split(' ').map(Number)
    return [pid ?? 0, bytes ?? 0]
  }

  async post(bytes: number, path?: string): Promise<readonly [pid: number, bytes: number]> {
    this.socket.write(Kept.encode(bytes, path))
    return this.answer()
  }
}

test('an idle kept connection changes workers with a reload, and the old worker need not wait for it', async () => {
  const { tsgi, socket, reload } = await deploy(1)
  const old = await onlyWorker(tsgi)
  const connections = await Promise.all(Array.from({ length: 50 }, () => Kept.open(socket)))
  for (const kept of connections) expect(await kept.post(10)).toEqual([old, 10])
  await reload()
  await until('the old worker has left', () => !isAlive(old))
  const successor = await onlyWorker(tsgi)
  const answers = await Promise.all(connections.map((kept) => kept.post(20)))
  expect(answers).toEqual(connections.map(() => [successor, 20]))
})

test('a connection that was never used keeps no old worker waiting, whatever is spoken there', async () => {
  const [uwsgi, scgi] = [socketPath(), socketPath()]
  const { tsgi, socket, reload } = await deploy(1, ['--uwsgi', uwsgi, '--scgi', scgi])
  const old = await onlyWorker(tsgi)
  const silent = [socket, uwsgi, scgi].map((path) => connect(path).resume())
  for (const each of silent) await once(each, 'connect')
  const kept = await Kept.open(socket)
  await kept.post(1)
  await reload()
  await until('the old worker has left, long before --graceful-timeout', () => !isAlive(old))
  for (const each of silent) each.destroy()
})

test('a request in flight ends where it began, the next one is served by the successor', async () => {
  const { tsgi, socket, reload } = await deploy(1)
  const old = await onlyWorker(tsgi)
  const kept = await Kept.open(socket)
  const request = Kept.encode(100_000)
  await kept.post(1)
  kept.socket.write(request.subarray(0, 50_000))
  // Served after what was written before it, by a worker that has one event loop.
  await (await Kept.open(socket)).post(1)
  await reload()
  expect(isAlive(old)).toBe(true)
  kept.socket.write(request.subarray(50_000))
  expect(await kept.answer()).toEqual([old, 100_000])
  await until('the old worker has left', () => !isAlive(old))
  expect(await kept.post(30)).toEqual([await onlyWorker(tsgi), 30])
})

test('a response that is still going out when its worker drains arrives whole, and the connection goes on', async () => {
  const { tsgi, socket, reload } = await deploy(1)
  const old = await onlyWorker(tsgi)
  const kept = await Kept.open(socket)
  await kept.post(1)
  kept.socket.pause()
  kept.socket.write(Kept.encode(10, '/large'))
  await (await Kept.open(socket)).post(1)
  await reload()
  kept.socket.resume()
  expect(await kept.answer()).toEqual([old, 10])
  expect(await kept.post(10)).toEqual([await onlyWorker(tsgi), 10])
})

test('connections are handed over again and again', async () => {
  const { socket, reload } = await deploy(2)
  const connections = await Promise.all(Array.from({ length: 8 }, () => Kept.open(socket)))
  const workers = new Set<number>()
  for (let generation = 1; generation <= 4; generation += 1) {
    const answers = await Promise.all(connections.map((kept) => kept.post(1000)))
    for (const [pid, bytes] of answers) {
      workers.add(pid)
      expect(bytes).toBe(1000)
    }
    await reload()
  }
  expect(connections.some(({ closed }) => closed)).toBe(false)
  // Both of each generation, save that one of the first may have accepted them all.
  expect(workers.size).toBeGreaterThanOrEqual(7)
})

test('what is sent while a connection changes workers is answered', async () => {
  const { tsgi, socket, reload } = await deploy(1)
  const kept = await Kept.open(socket)
  let reloading = true
  const reloads = (async () => {
    for (let count = 0; count < 5; count += 1) await reload()
    reloading = false
  })()
  let answered = 0
  while (reloading) {
    const [, bytes] = await kept.post(5000)
    expect(bytes).toBe(5000)
    answered += 1
  }
  await reloads
  expect(answered).toBeGreaterThan(5)
  expect(kept.closed).toBe(false)
  expect((await kept.post(1))[0]).toBe(await onlyWorker(tsgi))
})

test('when tsgi stops there is nobody to hand over to: a kept connection closes after a response', async () => {
  const { tsgi, socket } = await deploy(1)
  const kept = await Kept.open(socket)
  const request = Kept.encode(1000)
  await kept.post(1)
  kept.socket.write(request.subarray(0, 500))
  tsgi.signal('SIGTERM')
  await tsgi.waitForLog(/drains: SIGTERM/)
  kept.socket.write(request.subarray(500))
  expect((await kept.answer())[1]).toBe(1000)
  // The worker may have heard of the stop only after that response; another one may meet the close.
  while (!kept.closed) await kept.post(1).catch(() => undefined)
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
})

test('a worker whose kept connection brings it to its cap leaves new ones to the others', async () => {
  const { tsgi, socket } = await deploy(2, ['--max-concurrency', '1'])
  const kept = await Kept.open(socket)
  const [busy] = await kept.post(1)
  const request = Kept.encode(1000, '/told')
  kept.socket.write(request.subarray(0, 500))
  await tsgi.waitForLog(new RegExp(`at work: ${busy}`))
  for (let connection = 0; connection < 8; connection++) {
    const another = await Kept.open(socket)
    expect((await another.post(10))[0]).not.toBe(busy)
    another.socket.destroy()
  }
  kept.socket.write(request.subarray(500))
  expect(await kept.answer()).toEqual([busy, 1000])
  await tsgi.stop()
})
