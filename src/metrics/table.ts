/** Every metric, once: its name for Prometheus, what it counts, and who knows its value. */

import { ERRORS, type ErrorCode } from '../errors.ts'
import type { Tick } from '../messages.ts'

interface Described {
  /** Prometheus's conventions: prefix, base unit (seconds, bytes), `_total` for counters. */
  readonly name: `tsgi_${string}`
  readonly help: string
}

/** Counted in each worker and summed over all that ever lived. */
interface WorkerCounter extends Described {
  readonly kind: 'counter'
  /** One series for each value. */
  readonly label?: { readonly name: string; readonly values: readonly string[] }
}

/** Counted in each worker and summed, like a counter. */
interface WorkerHistogram extends Described {
  readonly kind: 'histogram'
  /** Upper bounds, ascending, in the metric's unit; the one above all is implied. */
  readonly buckets: readonly number[]
}

/** What a worker is now: one series for each worker, or the sum of all. */
interface WorkerGauge extends Described {
  readonly kind: 'gauge'
  readonly each: 'worker' | 'sum'
  readonly read: (worker: WorkerNumbers) => number
}

export interface WorkerNumbers {
  /** Its last report. */
  readonly tick: Tick
  /** Since it was heard of. */
  readonly silentMs: number
}

/** What only the master knows. */
interface MasterMetric extends Described {
  readonly kind: 'counter' | 'gauge'
  readonly read: (master: MasterNumbers) => number
}

export interface MasterNumbers {
  /** Workers that serve. */
  readonly workers: number
  readonly spawned: number
  readonly died: number
  readonly hung: number
  readonly reloads: number
  readonly failedReloads: number
}

const counters = <Key extends string>(rows: Record<Key, WorkerCounter>): Readonly<Record<Key, WorkerCounter>> => rows
const histograms = <Key extends string>(rows: Record<Key, WorkerHistogram>): Readonly<Record<Key, WorkerHistogram>> =>
  rows

/** From a reply out of memory to the time after which a front server gives up. */
const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const STATUS_CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const

const ERROR_CODES = Object.entries(ERRORS)
  .filter(([, { kind }]) => kind === 'protocol' || kind === 'client')
  .map(([code]) => code)

export const COUNTERS = counters({
  requests: { kind: 'counter', name: 'tsgi_requests_total', help: 'Requests handed to the application.' },
  responses: {
    kind: 'counter',
    name: 'tsgi_responses_total',
    help: 'Responses begun, by class of their status.',
    label: { name: 'class', values: STATUS_CLASSES },
  },
  requestBytes: { kind: 'counter', name: 'tsgi_request_body_bytes_total', help: 'Body bytes received.' },
  responseBytes: { kind: 'counter', name: 'tsgi_response_body_bytes_total', help: 'Body bytes sent.' },
  aborted: {
    kind: 'counter',
    name: 'tsgi_responses_aborted_total',
    help: 'Responses cut short: the application failed midway, or the client left.',
  },
  applicationErrors: {
    kind: 'counter',
    name: 'tsgi_application_errors_total',
    help: 'Requests in which the application threw or broke the interface.',
  },
  protocolErrors: {
    kind: 'counter',
    name: 'tsgi_protocol_errors_total',
    help: 'What front servers and clients did wrong, by error code.',
    label: { name: 'code', values: ERROR_CODES },
  },
  connections: { kind: 'counter', name: 'tsgi_connections_total', help: 'Connections accepted.' },
  handedOver: {
    kind: 'counter',
    name: 'tsgi_connections_handed_over_total',
    help: 'Kept connections that a worker which drains, or has more than its share, handed to another.',
  },
})

export const HISTOGRAMS = histograms({
  requestDuration: {
    kind: 'histogram',
    name: 'tsgi_request_duration_seconds',
    help: 'From the last variable of a request to the last byte of its response.',
    buckets: DURATION_BUCKETS,
  },
  queueDuration: {
    kind: 'histogram',
    name: 'tsgi_request_queue_seconds',
    help: 'From the time in X-Request-Start, set by the front server, to the call of the application.',
    buckets: DURATION_BUCKETS,
  },
})

export const WORKER_GAUGES: Readonly<Record<string, WorkerGauge>> = {
  connectionsOpen: {
    kind: 'gauge',
    name: 'tsgi_connections_open',
    help: 'Connections open now.',
    each: 'sum',
    read: ({ tick }) => tick.connections,
  },
  requestsInFlight: {
    kind: 'gauge',
    name: 'tsgi_requests_in_flight',
    help: 'Requests in the application now.',
    each: 'sum',
    read: ({ tick }) => tick.requestsInFlight,
  },
  oldestRequest: {
    kind: 'gauge',
    name: 'tsgi_worker_oldest_request_seconds',
    help: 'Age of the oldest request in flight.',
    each: 'worker',
    read: ({ tick }) => tick.oldestRequestMs / 1000,
  },
  memory: {
    kind: 'gauge',
    name: 'tsgi_worker_resident_memory_bytes',
    help: 'Resident memory of a worker.',
    each: 'worker',
    read: ({ tick }) => tick.rssBytes,
  },
  eventLoop: {
    kind: 'gauge',
    name: 'tsgi_worker_event_loop_utilization_ratio',
    help: 'Share of the last second in which the event loop of a worker was busy: 1 is saturated.',
    each: 'worker',
    read: ({ tick }) => tick.eventLoopUtilization,
  },
  silent: {
    kind: 'gauge',
    name: 'tsgi_worker_silent_seconds',
    help: 'Time since a worker was heard of, which it is once a second: from 3 on its event loop hangs.',
    each: 'worker',
    read: ({ silentMs }) => silentMs / 1000,
  },
}

export const MASTER_METRICS: Readonly<Record<string, MasterMetric>> = {
  workers: { kind: 'gauge', name: 'tsgi_workers', help: 'Workers that serve.', read: (master) => master.workers },
  spawned: {
    kind: 'counter',
    name: 'tsgi_worker_starts_total',
    help: 'Workers started, replacements included.',
    read: (master) => master.spawned,
  },
  died: {
    kind: 'counter',
    name: 'tsgi_worker_deaths_total',
    help: 'Workers that left without having been asked to, those that could not load the application included.',
    read: (master) => master.died,
  },
  hung: {
    kind: 'counter',
    name: 'tsgi_worker_hangs_total',
    help: 'Workers killed because their event loop hung (--heartbeat-timeout), which are deaths as well.',
    read: (master) => master.hung,
  },
  reloads: {
    kind: 'counter',
    name: 'tsgi_reloads_total',
    help: 'Reloads that replaced the workers.',
    read: (master) => master.reloads,
  },
  failedReloads: {
    kind: 'counter',
    name: 'tsgi_reloads_failed_total',
    help: 'Reloads given up because the new application did not become ready.',
    read: (master) => master.failedReloads,
  },
}

type CounterName = keyof typeof COUNTERS
export type HistogramName = keyof typeof HISTOGRAMS
export type StatusClass = (typeof STATUS_CLASSES)[number]

/** What `Counters.add` takes: a counter, or one series of it. */
export type CounterKey =
  | Exclude<CounterName, 'responses' | 'protocolErrors'>
  | `responses.${StatusClass}`
  | `protocolErrors.${ErrorCode}`
