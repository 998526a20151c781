/**
 * The statistics of `--stats`, under the names that uWSGI gives them (core/master_utils.c), so that uwsgitop and the exporters
 * made for uWSGI read them. Times there are microseconds, save `last_spawn`: seconds since 1970.
 */

import { COUNTER_COLUMNS, HISTOGRAM_COLUMNS } from '../metrics/columns.ts'
import { HISTOGRAMS } from '../metrics/table.ts'
import type { Roster, WorkerView } from './roster.ts'
import type { Listener } from './sockets.ts'
import { isStuck } from './status.ts'

interface StatsInput {
  readonly roster: Roster
  readonly listeners: readonly Listener[]
  readonly backlog: number
  readonly application: string
  readonly version: string
  readonly nowMs: number
  /** Since 1970. */
  readonly wallClockMs: number
}

export function uwsgiStats(input: StatsInput): Readonly<Record<string, unknown>> {
  const { roster, listeners, backlog, version } = input
  const workers = onePerSlot(roster).map((worker) => workerStats(worker, input))
  return {
    version,
    // The kernel tells no length of a Unix socket's queue.
    listen_queue: 0,
    listen_queue_errors: 0,
    signal_queue: 0,
    load: workers.reduce((sum, { cores }) => sum + cores.filter(({ in_request }) => in_request === 1).length, 0),
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    cwd: process.cwd(),
    locks: [],
    sockets: listeners.map(({ info }) => ({
      name: info.address,
      proto: info.protocol,
      queue: 0,
      max_queue: backlog,
      shared: 0,
      can_offload: 0,
    })),
    workers,
  }
}

/** In a reload or a replacement a place has two workers for a while: the newest that serves stands for it. */
function onePerSlot({ workers }: Roster): readonly WorkerView[] {
  const bySlot = new Map<number, WorkerView>()
  for (const worker of workers) {
    const before = bySlot.get(worker.slot)
    if (before === undefined || worker.phase === 'ready' || before.phase !== 'ready') bySlot.set(worker.slot, worker)
  }
  return [...bySlot.values()].sort((one, other) => one.slot - other.slot)
}

function workerStats(worker: WorkerView, { roster, application, nowMs, wallClockMs }: StatsInput) {
  const { tick, slot } = worker
  const requests = tick?.requestsTotal ?? 0
  const inFlight = tick?.requestsInFlight ?? 0
  const exceptions = counter(worker, 'applicationErrors')
  const time = requestTime(worker)
  return {
    id: slot,
    pid: worker.pid ?? 0,
    accepting: worker.phase === 'ready' ? 1 : 0,
    requests,
    delta_requests: requests,
    exceptions,
    harakiri_count: roster.history.hungBySlot.get(slot) ?? 0,
    signals: 0,
    signal_queue: 0,
    status: worker.phase === 'booting' ? 'cheap' : inFlight > 0 || isStuck(worker, nowMs) ? 'busy' : 'idle',
    rss: tick?.rssBytes ?? 0,
    vsz: 0,
    running_time: time.sumMicros,
    last_spawn: Math.floor((wallClockMs - (nowMs - worker.spawnedAtMs)) / 1000),
    respawn_count: roster.history.spawnedBySlot.get(slot) ?? 0,
    tx: counter(worker, 'responseBytes'),
    avg_rt: time.averageMicros,
    apps: [
      {
        id: 0,
        modifier1: 0,
        mountpoint: '',
        startup_time: Math.round((worker.bootMs ?? 0) / 1000),
        requests,
        exceptions,
        chdir: '',
        callable: application,
      },
    ],
    // A core of uWSGI serves one request at a time: here each request in flight is one.
    cores: Array.from({ length: Math.max(1, inFlight) }, (_, id) => ({
      id,
      requests: id === 0 ? requests : 0,
      static_requests: 0,
      routed_requests: 0,
      offloaded_requests: 0,
      write_errors: 0,
      read_errors: 0,
      in_request: id < inFlight ? 1 : 0,
      vars: [],
      req_info: {},
    })),
  }
}

function counter({ tick }: WorkerView, key: string): number {
  return tick?.counters[COUNTER_COLUMNS.get(key) ?? -1] ?? 0
}

function requestTime({ tick }: WorkerView): { readonly sumMicros: number; readonly averageMicros: number } {
  const first = HISTOGRAM_COLUMNS.get('requestDuration') ?? 0
  const { length } = HISTOGRAMS.requestDuration.buckets
  const columns = tick?.counters.slice(first, first + length + 2) ?? []
  const sumMicros = (columns[length + 1] ?? 0) * 1_000_000
  const count = columns.slice(0, length + 1).reduce((sum, value) => sum + value, 0)
  return { sumMicros: Math.round(sumMicros), averageMicros: count === 0 ? 0 : Math.round(sumMicros / count) }
}
