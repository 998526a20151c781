import { expect, test } from 'vitest'
import { Balance, type Correction } from '../../src/master/balance.ts'
import type { WorkerView } from '../../src/master/roster.ts'
import { COLUMN_COUNT, COUNTER_COLUMNS } from '../../src/metrics/columns.ts'
import { workerView } from './support/worker-view.ts'

interface Work {
  readonly requests: number
  /** Connections accepted for them; the rest came on kept ones. */
  readonly accepted: number
  readonly utilization?: number
}

const ACCEPTED = COUNTER_COLUMNS.get('connections') ?? -1

/** Workers 1, 2, ... that do the same every second. @returns the corrections of each second */
function seconds(count: number, work: readonly Work[], balance = new Balance()): readonly (readonly Correction[])[] {
  return Array.from({ length: count }, (_, second) => balance.measure(views(work, second + 1)))
}

function views(work: readonly Work[], second: number): WorkerView[] {
  return work.map(({ requests, accepted, utilization = 0.5 }, index) => {
    const counters = new Array<number>(COLUMN_COUNT).fill(0)
    counters[ACCEPTED] = accepted * second
    return workerView({
      id: index + 1,
      slot: index + 1,
      phase: 'ready',
      heardAtMs: second * 1000,
      tick: {
        connections: 10,
        requestsInFlight: 1,
        requestsTotal: requests * second,
        oldestRequestMs: 0,
        rssBytes: 1,
        eventLoopUtilization: utilization,
        counters,
      },
    })
  })
}

const last = (corrections: readonly (readonly Correction[])[]): readonly Correction[] => corrections.at(-1) ?? []

test('equal work calls for nothing', () => {
  expect(
    seconds(5, [
      { requests: 500, accepted: 500 },
      { requests: 505, accepted: 505 },
    ]).flat(),
  ).toEqual([])
})

test('the first second tells nothing yet: nobody knows what came before', () => {
  expect(
    seconds(1, [
      { requests: 900, accepted: 0 },
      { requests: 100, accepted: 0 },
    ]),
  ).toEqual([[]])
})

test('who gets more on kept connections hands over most of what is too much', () => {
  const [correction] = last(
    seconds(3, [
      { requests: 900, accepted: 0 },
      { requests: 100, accepted: 0 },
    ]),
  )
  expect(correction).toMatchObject({ kind: 'shed', id: 1 })
  const moved = correction?.kind === 'shed' ? correction.requestsPerSecond : 0
  expect(moved).toBeGreaterThan(200)
  expect(moved).toBeLessThan(400)
})

test('who gets more new connections listens anew, the busiest last', () => {
  const work = [1300, 200, 1100, 400].map((requests) => ({ requests, accepted: requests }))
  expect(last(seconds(3, work))).toEqual([
    { kind: 'listen-anew', id: 3 },
    { kind: 'listen-anew', id: 1 },
  ])
})

test('many requests that cost little are no burden', () => {
  const work = [
    { requests: 900, accepted: 0, utilization: 0.1 },
    { requests: 100, accepted: 0, utilization: 0.9 },
  ]
  expect(seconds(3, work).flat()).toEqual([])
})

test('a few requests are too few to tell', () => {
  expect(
    seconds(5, [
      { requests: 20, accepted: 10 },
      { requests: 2, accepted: 1 },
    ]).flat(),
  ).toEqual([])
})

test('a worker that is alone is left alone', () => {
  expect(seconds(5, [{ requests: 900, accepted: 400 }]).flat()).toEqual([])
})

test('a kept connection goes to the worker with the least to do, and counts there at once', () => {
  const balance = new Balance()
  const work = [
    { requests: 300, accepted: 0 },
    { requests: 100, accepted: 0 },
    { requests: 200, accepted: 0 },
  ]
  seconds(3, work, balance)
  const heirs = Array.from({ length: 4 }, () => balance.heir(views(work, 3), 60))
  expect(heirs).toEqual([2, 2, 3, 2])
})

test('workers that have just started share the connections of those that leave', () => {
  const balance = new Balance()
  const fresh = views(
    [
      { requests: 0, accepted: 0 },
      { requests: 0, accepted: 0 },
    ],
    1,
  )
  expect(Array.from({ length: 4 }, () => balance.heir(fresh, 0))).toEqual([1, 2, 1, 2])
})

test('where nobody serves, nobody is the heir', () => {
  expect(new Balance().heir([], 10)).toBeUndefined()
})
