/**
 * Who has more than a fair share of the work, and what to do about it. Kept connections stay where they were accepted, and a
 * front server uses some of them much more than others; of the workers that wait for a connection, the kernel prefers the one
 * that has waited longest, so that the same one gets the most all the time. Pure, but for its memory.
 */

import { COUNTER_COLUMNS } from '../metrics/columns.ts'
import type { WorkerView } from './roster.ts'

export type Correction =
  /** It hands over kept connections that bring this much. */
  | { readonly kind: 'shed'; readonly id: number; readonly requestsPerSecond: number }
  /** It listens anew, and so waits behind the others. */
  | { readonly kind: 'listen-anew'; readonly id: number }

interface Share {
  readonly id: number
  readonly requestsTotal: number
  readonly acceptedTotal: number
  /** Smoothed: of some seconds a worker tells late, and in the next one twice as much. */
  readonly requestsPerSecond: number
  /** Those of them that came on connections which had served before. */
  readonly keptPerSecond: number
  /** Requests and connections above the mean of all, forgotten over some seconds. */
  readonly requestsAbove: number
  readonly acceptedAbove: number
  /** How far it is ahead of the mean, now and in the long run; behind it where negative. */
  readonly leadPerSecond: number
  readonly utilization: number
  /** Given since the last measurement, which do not show in its numbers yet. */
  given: { connections: number; requestsPerSecond: number }
}

/** Below this mean, in one second, nothing is worth a correction. */
const LEAST_MEAN = 20
/** What stays of an excess from one measurement to the next: it is forgotten within some twenty. */
const KEPT_OF_EXCESS = 0.9
/** What an excess of the past counts against one of now: enough to be made good within seconds. */
const WEIGHT_OF_EXCESS = 0.15
/** Above the mean by this part of it. */
const TOLERANCE = 0.05
/** A worker that is much less busy than the mean has no reason to complain. */
const BUSY_ENOUGH = 0.8
/** Most of a lead, so that nothing swings. */
const DAMPING = 0.7

export class Balance {
  #shares = new Map<number, Share>()

  /**
   * Called once a second.
   * @param workers those that serve
   * @returns what is to be done, in this order
   */
  measure(workers: readonly WorkerView[]): readonly Correction[] {
    const known = workers.every(({ id, tick }) => tick !== undefined && this.#shares.has(id))
    if (!known || workers.length < 2) {
      this.#shares = new Map(workers.map((worker) => [worker.id, blank(worker)]))
      return []
    }
    const seconds = workers.map((worker) => {
      const before = this.#shares.get(worker.id) ?? blank(worker)
      const requests = requestsOf(worker) - before.requestsTotal
      const accepted = acceptedOf(worker) - before.acceptedTotal
      return { worker, before, requests, accepted, rate: (before.requestsPerSecond + requests) / 2 }
    })
    const meanRequests = mean(seconds.map(({ requests }) => requests))
    const meanAccepted = mean(seconds.map(({ accepted }) => accepted))
    const meanRate = mean(seconds.map(({ rate }) => rate))
    const shares = seconds.map(({ worker, before, requests, accepted, rate }): Share => {
      const requestsAbove = before.requestsAbove * KEPT_OF_EXCESS + requests - meanRequests
      return {
        ...blank(worker),
        requestsPerSecond: rate,
        keptPerSecond: (before.keptPerSecond + Math.max(0, requests - accepted)) / 2,
        requestsAbove,
        acceptedAbove: before.acceptedAbove * KEPT_OF_EXCESS + accepted - meanAccepted,
        leadPerSecond: rate - meanRate + requestsAbove * WEIGHT_OF_EXCESS,
      }
    })
    this.#shares = new Map(shares.map((share) => [share.id, share]))
    return [...shedding(shares, meanRate), ...listeningAnew(shares, meanAccepted)]
  }

  /**
   * The worker that should have one more kept connection.
   * @param workers those that serve
   */
  heir(workers: readonly WorkerView[], requestsPerSecond: number): number | undefined {
    let best: { readonly worker: WorkerView; readonly work: number; readonly connections: number } | undefined
    for (const worker of workers) {
      const share = this.#shares.get(worker.id)
      const work = (share?.leadPerSecond ?? 0) + (share?.given.requestsPerSecond ?? 0)
      const connections = (worker.tick?.connections ?? 0) + (share?.given.connections ?? 0)
      if (best === undefined || work < best.work || (work === best.work && connections < best.connections)) {
        best = { worker, work, connections }
      }
    }
    if (best === undefined) return undefined
    const share = this.#shares.get(best.worker.id) ?? blank(best.worker)
    share.given.connections += 1
    share.given.requestsPerSecond += requestsPerSecond
    this.#shares.set(share.id, share)
    return share.id
  }
}

/** Only who is busy as well: a worker with many cheap requests may have less to do than the others. */
function shedding(shares: readonly Share[], meanRequests: number): Correction[] {
  if (meanRequests < LEAST_MEAN) return []
  const meanUtilization = mean(shares.map(({ utilization }) => utilization))
  return shares
    .filter(({ leadPerSecond }) => leadPerSecond > meanRequests * TOLERANCE)
    .filter(({ utilization }) => utilization >= meanUtilization * BUSY_ENOUGH)
    .flatMap(({ id, leadPerSecond, keptPerSecond }) => {
      const excess = Math.min(keptPerSecond, leadPerSecond * DAMPING)
      return excess < 1 ? [] : [{ kind: 'shed', id, requestsPerSecond: excess }]
    })
}

/** The one that has got the most is the last to listen anew, and so waits behind all others. */
function listeningAnew(shares: readonly Share[], meanAccepted: number): Correction[] {
  if (meanAccepted < LEAST_MEAN) return []
  return shares
    .filter(({ acceptedAbove }) => acceptedAbove > meanAccepted * TOLERANCE)
    .sort((one, other) => one.acceptedAbove - other.acceptedAbove)
    .map(({ id }) => ({ kind: 'listen-anew', id }))
}

const ACCEPTED = COUNTER_COLUMNS.get('connections') ?? -1

const requestsOf = ({ tick }: WorkerView): number => tick?.requestsTotal ?? 0
const acceptedOf = ({ tick }: WorkerView): number => tick?.counters[ACCEPTED] ?? 0

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

const blank = (worker: WorkerView): Share => ({
  id: worker.id,
  requestsTotal: requestsOf(worker),
  acceptedTotal: acceptedOf(worker),
  requestsPerSecond: 0,
  keptPerSecond: 0,
  requestsAbove: 0,
  acceptedAbove: 0,
  leadPerSecond: 0,
  utilization: worker.tick?.eventLoopUtilization ?? 0,
  given: { connections: 0, requestsPerSecond: 0 },
})
