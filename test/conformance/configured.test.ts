/** The cases of the conformance list that want a tsgi of their own configuration. */

import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeFastcgiRequest, FastcgiRecordReader } from '../../src/client/fastcgi.ts'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'
import { until } from '../support/until.ts'
import { type Gateway, startGateways } from './gateway.ts'
import { ROWS, type Row } from './rows.ts'

const APP = join(import.meta.dirname, 'fixtures', 'app.ts')

async function start(protocols: readonly Row['protocol'][], ...args: string[]): Promise<Gateway> {
  const rows = ROWS.filter(({ protocol, transport }) => protocols.includes(protocol) && transport === 'unix')
  const [gateway] = (await startGateways(rows, APP, args)).gateways.values()
  if (gateway === undefined) throw new Error('no gateway')
  return gateway
}

const shown = async (gateway: Gateway, params: Record<string, string> = {}) =>
  JSON.parse((await gateway.ask({ path: '/', params })).text)

test('T23 several workers are multiprocess, one request at a time is not concurrent', async () => {
  const several = await start(['uwsgi'], '--workers', '2')
  expect((await shown(several)).values).toMatchObject({ multiprocess: true, concurrent: true, multithread: false })
  const single = await start(['uwsgi'], '--max-concurrency', '1')
  expect((await shown(single)).values).toMatchObject({ multiprocess: false, concurrent: false })
})

test('T98 with --max-concurrency 1 requests do not overlap, and none is lost', async () => {
  const gateway = await start(['uwsgi'], '--max-concurrency', '1')
  const asked = Array.from({ length: 50 }, () => gateway.open({ path: '/turn' }))
  const answers = await Promise.all(asked.map(({ conversation }) => conversation.answer()))
  for (const { status, text } of answers) {
    expect(status).toBe(200)
    expect(JSON.parse(text)).toEqual({ mostRunning: 1 })
  }
})

test('T98 with --max-concurrency 1 thousands of requests on kept connections wait for their turn', async () => {
  const gateway = await start(['fastcgi'], '--max-concurrency', '1')
  const connections = Array.from({ length: 41 }, () => new Kept(gateway.address))
  const [first, ...others] = connections
  if (first === undefined) throw new Error('no connection')
  // One request that waits for the end of its body keeps the others waiting: 4000, each answered at once when its turn comes.
  const [begin = empty, params = empty, stdin = empty] = encodeFastcgiRequest(request('/read'), {
    keepConnection: true,
  })
  first.send(begin, params, stdin.subarray(0, -8))
  for (const each of others) {
    for (let requestId = 1; requestId <= 100; requestId += 1) {
      each.send(...encodeFastcgiRequest(request('/hello'), { requestId, keepConnection: true }))
    }
  }
  await Promise.all(others.map((each) => each.sent()))
  first.send(stdin.subarray(-8))
  await until('all are answered', () => others.every((each) => each.answered === 100) && first.answered === 1)
  for (const each of connections) each.close()
})

test('T63 T66 T68 a kept connection serves on after a body that was cut, a HEAD, a 204, a 500 and an unread body', async () => {
  const gateway = await start(['fastcgi'])
  const kept = new Kept(gateway.address)
  const paths = [
    '/length?by=generator&length=3&bytes=10',
    '/no-content?kind=generator',
    '/throws',
    '/bad-body?n=0',
    '/unread',
  ]
  for (const [index, path] of paths.entries()) {
    for (const method of ['GET', 'HEAD', 'POST']) {
      const before = kept.answered
      const body = method === 'POST' ? Buffer.alloc(100_000) : empty
      kept.send(
        ...encodeFastcgiRequest({ ...request(path, method), body }, { requestId: index + 1, keepConnection: true }),
      )
      await until(`${method} ${path} is answered`, () => kept.answered === before + 1)
    }
  }
  kept.send(...encodeFastcgiRequest(request('/hello'), { keepConnection: true }))
  await until('hello', () => kept.answered === paths.length * 3 + 1)
  expect(kept.text).toMatch(/\r\n\r\nhello$/)
  kept.close()
})

test('T98 what a request stores in its async context, the next ones of its connection do not find, nor those that wait', async () => {
  const gateway = await start(['fastcgi'], '--max-concurrency', '1')
  const kept = new Kept(gateway.address)
  const stores = (requestId: number): Buffer[] =>
    encodeFastcgiRequest(request('/stores'), { requestId, keepConnection: true })
  for (let round = 1; round <= 2; round += 1) {
    kept.send(...stores(round))
    await until('it is answered', () => kept.answered === round)
  }
  // The first one is only done when the others wait for their turn.
  const [begin = empty, params = empty, stdin = empty] = stores(1)
  kept.send(begin, params, ...stores(2), ...stores(3), stdin)
  await until('all are answered', () => kept.answered === 5)
  expect(kept.text.match(/"[^"]*stored"/g)).toEqual(Array.from({ length: 5 }, () => '"nothing stored"'))
  kept.close()
})

const empty = Buffer.alloc(0)

function request(target: string, method = 'GET') {
  const [path = '', query = ''] = target.split('?')
  return { params: ['REQUEST_METHOD', method, 'PATH_INFO', path, 'QUERY_STRING', query] }
}

/** A kept FastCGI connection that counts its END_REQUESTs. */
class Kept {
  answered = 0
  /** All that came on STDOUT. */
  text = ''
  readonly #socket: Socket
  #lastWrite = Promise.resolve()

  constructor(address: string | number) {
    const reader = new FastcgiRecordReader()
    this.#socket = connect(String(address))
    this.#socket.on('data', (bytes) => {
      for (const { type, content } of reader.feed(bytes)) {
        if (type === TYPE.endRequest) this.answered += 1
        if (type === TYPE.stdout) this.text += content.toString('latin1')
      }
    })
  }

  send(...pieces: Buffer[]): void {
    this.#lastWrite = new Promise((resolve, reject) => {
      this.#socket.write(Buffer.concat(pieces), (error) => (error ? reject(error) : resolve()))
    })
  }

  sent(): Promise<void> {
    return this.#lastWrite
  }

  close(): void {
    this.#socket.destroy()
  }
}

test('the deployer’s variables are there, weaker than what the front server sends', async () => {
  const gateway = await start(
    ['uwsgi'],
    '--environ',
    'DEPLOYED=yes',
    '--environ',
    'REMOTE_ADDR=deployed',
    '--environ',
    'HTTP_X_A=deployed',
  )
  const { variables } = await shown(gateway)
  expect(variables).toMatchObject({ DEPLOYED: 'yes', REMOTE_ADDR: '192.0.2.1', HTTP_X_A: 'deployed' })
  const sent = await gateway.ask({
    path: '/',
    headers: [
      ['X-A', 'sent'],
      ['X-A', 'twice'],
    ],
  })
  expect(JSON.parse(sent.text).variables).toMatchObject({ HTTP_X_A: 'sent, twice' })
})

test('a client that keeps its side open after its request is served with --half-close ignore', async () => {
  const gateway = await start(['uwsgi'], '--half-close', 'ignore')
  const gate = 'half-closed'
  const { conversation } = gateway.open({ path: `/gated?gate=${gate}` })
  conversation.endSending()
  await conversation.until('the first chunk', () => conversation.bodyText === 'one ')
  await gateway.ask(`/gate/open?gate=${gate}`)
  expect(await conversation.answer()).toMatchObject({ text: 'one two', problem: undefined })
})
