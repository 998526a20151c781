/** What the master knows, as the answers of the control socket: plain rows, durations only. */

import type { Tick } from '../messages.ts'
import type { Roster, WorkerView } from './roster.ts'
import type { Listener } from './sockets.ts'

interface WorkerRow {
  readonly slot: number
  readonly pid: number | undefined
  readonly generation: number
  readonly phase: string
  readonly ageMs: number
  readonly silentMs: number
  readonly connections: number
  readonly requestsInFlight: number
  readonly requestsTotal: number
  readonly oldestRequestMs: number
  readonly rssBytes: number
  readonly eventLoopUtilization: number
  readonly retire: string | undefined
}

/** Workers report once a second. */
const MISSED_REPORTS_MS = 2500

/** What it reported last was before something kept its event loop: a worker that cannot even say so is anything but idle. */
export const isStuck = ({ phase, heardAtMs }: WorkerView, nowMs: number): boolean =>
  phase !== 'booting' && nowMs - heardAtMs > MISSED_REPORTS_MS

/** What a worker reported last, brought up to now where it cannot report. */
export function lastReport(worker: WorkerView, nowMs: number): Tick | undefined {
  const { tick, heardAtMs } = worker
  if (tick === undefined || !isStuck(worker, nowMs)) return tick
  const silentMs = nowMs - heardAtMs
  const oldestRequestMs = tick.requestsInFlight > 0 ? tick.oldestRequestMs + silentMs : 0
  return { ...tick, oldestRequestMs, eventLoopUtilization: 1 }
}

export function describeWorkers(roster: Roster, nowMs: number): readonly WorkerRow[] {
  return roster.workers.map((worker) => rowOf(worker, nowMs))
}

function rowOf(worker: WorkerView, nowMs: number): WorkerRow {
  const tick = lastReport(worker, nowMs)
  return {
    slot: worker.slot,
    pid: worker.pid,
    generation: worker.generation,
    phase: worker.phase,
    ageMs: Math.round(nowMs - worker.spawnedAtMs),
    silentMs: Math.round(nowMs - worker.heardAtMs),
    connections: tick?.connections ?? 0,
    requestsInFlight: tick?.requestsInFlight ?? 0,
    requestsTotal: tick?.requestsTotal ?? 0,
    oldestRequestMs: Math.round(tick?.oldestRequestMs ?? 0),
    rssBytes: tick?.rssBytes ?? 0,
    eventLoopUtilization: tick?.eventLoopUtilization ?? (isStuck(worker, nowMs) ? 1 : 0),
    retire: worker.retire,
  }
}

export function describeStatus(
  roster: Roster,
  listeners: readonly Listener[],
  uptimeMs: number,
): Readonly<Record<string, unknown>> {
  const { history, workers } = roster
  return {
    pid: process.pid,
    uptimeMs: Math.round(uptimeMs),
    state: roster.stop !== undefined ? 'stopping' : roster.reload !== undefined ? 'reloading' : 'serving',
    generation: roster.generation,
    workersWanted: roster.target,
    workersReady: workers.filter((worker) => worker.phase === 'ready').length,
    workersSpawned: history.spawned,
    workersDied: history.died,
    reloads: history.reloads,
    failedReloads: history.failedReloads,
    requestsTotal: workers.reduce((sum, { tick }) => sum + (tick?.requestsTotal ?? 0), history.requestsTotal),
    listeners: listeners.map(({ info }) => info),
  }
}
