import { expect, test } from 'vitest'
import type { WorkerView } from '../../src/master/roster.ts'
import { lastReport } from '../../src/master/status.ts'
import type { Tick } from '../../src/messages.ts'

const TICK: Tick = {
  connections: 1,
  requestsInFlight: 1,
  requestsTotal: 9,
  oldestRequestMs: 300,
  rssBytes: 1,
  eventLoopUtilization: 0.01,
  counters: [],
}

function reported(phase: WorkerView['phase'], silentMs: number, changes: Partial<Tick> = {}): Tick | undefined {
  const none = { readyAtMs: undefined, leaveByMs: undefined, killed: undefined, failure: undefined, retire: undefined }
  const tick = { ...TICK, ...changes }
  const place = { id: 1, slot: 1, generation: 1, pid: 7, bootMs: 1, interface: 'node' }
  return lastReport({ ...none, ...place, phase, spawnedAtMs: 0, heardAtMs: 10_000, tick }, 10_000 + silentMs)
}

test('what a worker reports counts as it is for as long as it reports', () => {
  expect(reported('ready', 2500)).toEqual(TICK)
  expect(reported('booting', 60_000)).toEqual(TICK)
})

test('of one that is silent the event loop is busy, and its oldest request has become older', () => {
  expect(reported('ready', 60_000)).toEqual({ ...TICK, oldestRequestMs: 60_300, eventLoopUtilization: 1 })
  const idle = { requestsInFlight: 0, oldestRequestMs: 0 }
  expect(reported('draining', 60_000, idle)).toEqual({ ...TICK, ...idle, eventLoopUtilization: 1 })
})
