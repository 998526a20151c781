import { describe, expect, test } from 'vitest'
import type { Tick } from '../../src/messages.ts'
import { Counters, statusClass } from '../../src/metrics/counters.ts'
import { exposeMetrics } from '../../src/metrics/expose.ts'
import { COUNTERS, HISTOGRAMS, MASTER_METRICS, WORKER_GAUGES } from '../../src/metrics/table.ts'

const master = { workers: 2, spawned: 3, died: 2, hung: 1, reloads: 4, failedReloads: 0 }

function tick(counters: Counters, changes: Partial<Tick> = {}): Tick {
  return {
    connections: 5,
    requestsInFlight: 2,
    requestsTotal: 0,
    oldestRequestMs: 1500,
    rssBytes: 1000,
    eventLoopUtilization: 0.25,
    ...changes,
    counters: counters.snapshot(),
  }
}

const every = [
  ...Object.values(COUNTERS),
  ...Object.values(HISTOGRAMS),
  ...Object.values(WORKER_GAUGES),
  ...Object.values(MASTER_METRICS),
]

describe('metrics', () => {
  test('workers are summed, those that are gone included, and their state is told one by one', async () => {
    const [gone, one, two] = [new Counters(), new Counters(), new Counters()]
    gone.counter('requests').add(10)
    one.add('requests')
    two.counter('requests').add(2)
    one.add('responses.4xx')
    two.add('protocolErrors.TSGI_PROTOCOL_WRONG')
    const { text, contentType } = await exposeMetrics({
      past: gone.snapshot(),
      workers: [
        { slot: 1, tick: tick(one), silentMs: 4500 },
        { slot: 2, tick: tick(two, { rssBytes: 2000 }), silentMs: 500 },
      ],
      master,
    })
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/)
    for (const line of [
      'tsgi_requests_total 13',
      'tsgi_responses_total{class="4xx"} 1',
      'tsgi_responses_total{class="2xx"} 0',
      'tsgi_protocol_errors_total{code="TSGI_PROTOCOL_WRONG"} 1',
      'tsgi_connections_open 10',
      'tsgi_worker_resident_memory_bytes{worker="2"} 2000',
      'tsgi_worker_oldest_request_seconds{worker="1"} 1.5',
      'tsgi_worker_silent_seconds{worker="1"} 4.5',
      'tsgi_worker_starts_total 3',
      'tsgi_worker_hangs_total 1',
      'tsgi_reloads_total 4',
      '# TYPE tsgi_requests_total counter',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
  })

  test('a histogram counts each value in every bucket above it', async () => {
    const counters = new Counters()
    const durations = counters.histogram('requestDuration')
    for (const seconds of [0.0004, 0.001, 0.2, 100]) durations.observe(seconds)
    const { text } = await exposeMetrics({
      past: [],
      workers: [{ slot: 1, tick: tick(counters), silentMs: 0 }],
      master,
    })
    for (const line of [
      'tsgi_request_duration_seconds_bucket{le="0.0005"} 1',
      'tsgi_request_duration_seconds_bucket{le="0.001"} 2',
      'tsgi_request_duration_seconds_bucket{le="0.1"} 2',
      'tsgi_request_duration_seconds_bucket{le="0.25"} 3',
      'tsgi_request_duration_seconds_bucket{le="60"} 3',
      'tsgi_request_duration_seconds_bucket{le="+Inf"} 4',
      'tsgi_request_duration_seconds_count 4',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
    expect(text).toMatch(/^tsgi_request_duration_seconds_sum 100\.2014/m)
  })

  test('with no worker alive the past is still told', async () => {
    const gone = new Counters()
    gone.counter('requests').add(7)
    const { text } = await exposeMetrics({ past: gone.snapshot(), workers: [], master: { ...master, workers: 0 } })
    expect(text).toMatch(/^tsgi_requests_total 7$/m)
    expect(text).toMatch(/^tsgi_workers 0$/m)
  })

  test('names follow the conventions of Prometheus, each once', () => {
    const names = every.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, kind, help } of every) {
      expect(name).toMatch(/^tsgi_[a-z_]+$/)
      expect(name.endsWith('_total'), name).toBe(kind === 'counter')
      expect(help, name).toMatch(/^[A-Z].*\.$/)
    }
  })

  test('a response belongs to the class of its status', () => {
    expect([0, 200, 304, 404, 599].map(statusClass)).toEqual([undefined, '2xx', '3xx', '4xx', '5xx'])
  })
})
