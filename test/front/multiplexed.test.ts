/** HAProxy is the one front server that carries several requests at once on one FastCGI connection. */

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'
import { type FastcgiRelay, type SeenRecord, startFastcgiRelay } from '../support/fastcgi-relay.ts'
import { type HttpConnection, type HttpResponse, httpRequest, openHttp } from '../support/http-client.ts'
import type { Front } from '../support/nginx.ts'
import { startHaproxy } from '../support/other-fronts.ts'
import { describeWith } from '../support/peers.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { behavioursApp } from './start-pair.ts'

interface Deployment {
  readonly tsgi: Tsgi
  readonly front: Front
  readonly relay: FastcgiRelay
}

async function deploy(...args: string[]): Promise<Deployment> {
  const path = socketPath()
  const tsgi = await startTsgi({ app: behavioursApp, args: ['--fastcgi', path, '--workers', '1', ...args] })
  const relay = await startFastcgiRelay(path)
  return { tsgi, relay, front: await startHaproxy({ port: relay.port }, { multiplexed: true }) }
}

/** Requests for /stream, each past its first line and open until `release`. */
async function openStreams({ front, relay }: Deployment, count: number): Promise<Promise<HttpResponse>[]> {
  // The first one brings the connection: HAProxy does not let others use it before it knows that it may.
  await httpRequest(front, { path: '/path/first' })
  expect(relay.connections()).toBe(1)
  let begun = 0
  const streams = Array.from({ length: count }, () => {
    const chunks: Buffer[] = []
    const onBody = (chunk: Buffer): void => {
      if (chunks.push(chunk) === 1) begun += 1
    }
    const streamed = httpRequest(front, { path: '/stream', onBody })
    return streamed.then((response) => ({ ...response, text: Buffer.concat(chunks).toString() }))
  })
  await until(`${count} responses have begun`, () => begun === count)
  return streams
}

const release = ({ front }: Deployment): Promise<HttpResponse> => httpRequest(front, { path: '/release' })

async function expectWhole(streams: readonly Promise<HttpResponse>[]): Promise<void> {
  const responses = await Promise.all(streams)
  const seen = responses.map(({ status, complete, text }) => ({ status, complete, text }))
  expect(seen).toEqual(responses.map(() => ({ status: 200, complete: true, text: 'first\nsecond\n' })))
}

/** Waits in the application with its body half sent: more than HAProxy's buffer (16 KB), which it fills before it sends any. */
async function halfAnUpload({ front, tsgi }: Deployment): Promise<HttpConnection> {
  const fromLine = tsgi.process.lines.length
  const connection = await openHttp(front)
  connection.send(`POST /wait HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n${'x'.repeat(30_000)}`)
  await tsgi.waitForLog(/waiting/, { fromLine })
  return connection
}

function bodyOf(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let index = 0; index < size; index += 1) bytes[index] = (index * seed) % 253
  return bytes
}

const sumOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describeWith(['haproxy'], 'requests that HAProxy multiplexes on one FastCGI connection', () => {
  test('20 are open at once', async () => {
    const deployment = await deploy()
    const { relay } = deployment
    const streams = await openStreams(deployment, 20)
    expect(relay.mostAtOnce()).toBe(20)
    await release(deployment)
    await expectWhole(streams)
    expect(relay.connections()).toBe(1)
    // What it asked at first (option get-values), and was told.
    const management = relay.records.filter(({ requestId }) => requestId === 0)
    expect(management.map(({ from, type }) => `${from} ${type}`)).toEqual([
      `front ${TYPE.getValues}`,
      `tsgi ${TYPE.getValuesResult}`,
    ])
  })

  test('one whose client leaves in the middle of its body is aborted alone', async () => {
    const deployment = await deploy()
    const { tsgi, relay } = deployment
    const streams = await openStreams(deployment, 5)
    const upload = await halfAnUpload(deployment)
    upload.destroy()
    await tsgi.waitForLog(/gone: ClientDisconnected/)
    const aborted = relay.records.find(({ type }) => type === TYPE.abortRequest)
    await until('END_REQUEST answers ABORT_REQUEST', () =>
      relay.records.some(({ type, requestId }) => type === TYPE.endRequest && requestId === aborted?.requestId),
    )
    await release(deployment)
    await expectWhole(streams)
    expect(relay.connections()).toBe(1)
  })

  test('one whose client leaves in the middle of its response disturbs no other', async () => {
    const deployment = await deploy()
    const streams = await openStreams(deployment, 5)
    const leaving = await openHttp(deployment.front)
    leaving.send('GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    await leaving.read('HTTP/1.1 200'.length)
    leaving.destroy()
    await release(deployment)
    await expectWhole(streams)
    expect(deployment.relay.connections()).toBe(1)
  })

  test('one that breaks off does not look complete, and ends no other', async () => {
    const deployment = await deploy()
    const { front, relay, tsgi } = deployment
    const streams = await openStreams(deployment, 5)
    const broken = httpRequest(front, { path: '/break' })
    await tsgi.waitForLog(/thrown in the middle of the body/)
    await release(deployment)
    await expectWhole(streams)
    expect(await broken).toMatchObject({ status: 200, complete: false })
    expect(relay.connections()).toBe(1)
    expect((await httpRequest(front, { path: '/path/next' })).status).toBe(200)
  })

  test('a large upload and a large download among small answers are not mixed up', async () => {
    const deployment = await deploy()
    const { front, relay } = deployment
    const streams = await openStreams(deployment, 20)
    const large = bodyOf(5_000_000, 7)
    const echo = httpRequest(front, { method: 'POST', path: '/echo', body: large })
    const download = httpRequest(front, { path: '/download?bytes=5000000' })
    // Meanwhile their answers end, between the records of the large ones.
    await release(deployment)
    await expectWhole(streams)
    expect(sumOf((await echo).body)).toBe(sumOf(large))
    expect(await download).toMatchObject({ complete: true, bodyBytes: 5_000_000 })
    expect(relay.connections()).toBe(1)
  })

  test('200 with bodies at once each get their own answer, save those that HAProxy refuses itself', async () => {
    const deployment = await deploy()
    const { front, relay } = deployment
    await httpRequest(front, { path: '/path/first' })
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const body = bodyOf(1_000 + index, index)
        const { status, text } = await httpRequest(front, { method: 'POST', path: '/sum', body })
        if (status === 200 && text === JSON.stringify({ bytes: body.length, sha256: sumOf(body) })) return 'right'
        // Where the variables of a request do not fit into what is left of the buffer for the connection (mux_fcgi.c,
        // fcgi_strm_send_params), HAProxy 2.6 answers itself, without having sent them.
        return status === 500 && text.includes('An internal server error occurred') ? 'refused' : `${status} ${text}`
      }),
    )
    const count = (from: SeenRecord['from'], type: number) =>
      relay.records.filter((record) => record.from === from && record.type === type).length
    expect(new Set(answers)).toEqual(new Set(['right', 'refused']))
    const refused = answers.filter((answer) => answer === 'refused').length
    await until('all that began has ended', () => count('tsgi', TYPE.endRequest) === count('front', TYPE.beginRequest))
    expect(count('front', TYPE.abortRequest)).toBe(refused)
    expect(relay.mostAtOnce()).toBeGreaterThan(20)
    // What FCGI_MAX_REQS said, 128, is HAProxy's limit for a connection.
    expect(relay.connections()).toBeLessThanOrEqual(2)
  })

  // On the documented path a paused net.Socket reads on into its buffer, and what it holds cannot be handed over with it.
  test.skipIf(process.env['TSGI_ACCEPT'] === 'documented')(
    'a reload loses none although one is always open',
    async () => {
      const deployment = await deploy('--graceful-timeout', '20')
      const { tsgi, front, relay } = deployment
      await httpRequest(front, { path: '/path/first' })
      let loading = true
      const statuses = new Map<number, number>()
      const client = async (_: unknown, index: number): Promise<void> => {
        const connection = await openHttp(front)
        while (loading) {
          // Durations without a common beat: there is no moment at which all have ended.
          const { status } = await connection.request({ path: `/slow?ms=${40 + 7 * index}` })
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
        }
        connection.destroy()
      }
      const clients = Array.from({ length: 16 }, client)
      await until('the connection is in use', () => relay.mostAtOnce() >= 10)
      const [old] = tsgi.workerPids()
      tsgi.signal('SIGHUP')
      await tsgi.waitForLog(/reloaded: generation 2 serves/)
      await tsgi.waitForLog(new RegExp(`worker 1 \\(pid ${old}\\) left`), { deadlineMs: 10_000 })
      loading = false
      await Promise.all(clients)
      expect([...statuses.keys()]).toEqual([200])
      expect(relay.connections()).toBe(1)
    },
  )
})
