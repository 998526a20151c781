/** What a worker counts of its requests. */

import pino from 'pino'
import { expect, test } from 'vitest'
import type { Application } from '../../src/application.ts'
import { applicationHandler } from '../../src/gateway/request-source.ts'
import type { Sink } from '../../src/gateway/sink.ts'
import type { Log } from '../../src/log/logger.ts'
import { COUNTER_COLUMNS } from '../../src/metrics/columns.ts'
import { Counters } from '../../src/metrics/counters.ts'
import { Requests } from '../../src/worker/requests.ts'

const SILENT: Log = Object.assign(pino({ level: 'silent' }), { reopen: () => undefined })

const NOWHERE: Sink = {
  start: () => undefined,
  chunk: () => undefined,
  end: () => undefined,
  abort: () => undefined,
  flow: () => undefined,
  drained: () => Promise.resolve(),
  saturated: false,
  bodyComesLate: false,
  upgrade: undefined,
  earlyHints: undefined,
}

const upper: Application = async (environ, startResponse) => {
  const body = Buffer.from(await environ['tsgi.input'].read())
  startResponse('200 OK', [])
  return [Buffer.from(`<${body.toString().toUpperCase()}>`)]
}

test('the bytes of a request’s body are counted, and those of its response', async () => {
  const counters = new Counters()
  const settings = {
    environ: { variables: [], mounts: [], multiprocess: false, concurrent: true },
    extensions: [],
    maxBodyBytes: 0,
    closeTimeoutMs: 0,
    requestTimeoutMs: 0,
    maxConcurrency: 0,
  }
  const requests = new Requests(applicationHandler(upper), settings, SILENT, undefined, counters)
  const over = new Promise<void>((resolve) => {
    requests.onDone = resolve
  })
  const exchange = requests.createExchange(NOWHERE, 0)
  exchange.input.push(Buffer.from('one '))
  requests.admit(exchange, ['REQUEST_METHOD', 'POST', 'PATH_INFO', '/', 'CONTENT_LENGTH', '7'])
  exchange.input.push(Buffer.from('two'))
  exchange.input.end()
  await over
  const row = counters.snapshot()
  const counted = (key: string) => row[COUNTER_COLUMNS.get(key) ?? -1]
  expect(counted('requests')).toBe(1)
  expect(counted('requestBytes')).toBe(7)
  expect(counted('responseBytes')).toBe(9)
  expect(counted('responses.2xx')).toBe(1)
})
