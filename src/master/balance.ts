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
  readonly requestsPerSecond: number
  /** Those of them that came on connections which had served before. */
  readonly keptPerSecond: number
  /** Requests and connections above the mean of all, forgotten over some seconds. */
  readonly requestsAbove: number
  readonly acceptedAbove: number
  readonly utilization: number
  /** Given since the last measurement, which do not show in its numbers yet. */
  given: { connections: number; requestsPerSecond: number }
}

/** Below this mean, in one second, nothing is worth a correction. */
const LEAST_MEAN = 20
/** What stays of an excess from one measurement to the next: it is forgotten within some twenty. */
const KEPT_OF_EXCESS = 0.9
/** Above or below the mean by this part of it, in the long run. */
const TOLERANCE = 0.1
/** The excess is not what the next second will bring: most of it, so that nothing swings. */
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
    const requests = workers.map((worker) => requestsOf(worker) - (this.#shares.get(worker.id)?.requestsTotal ?? 0))
    const accepted = workers.map((worker) => acceptedOf(worker) - (this.#shares.get(worker.id)?.acceptedTotal ?? 0))
    const meanRequests = mean(requests)
    const meanAccepted = mean(accepted)
    const shares = workers.map((worker, index): Share => {
      const before = known ? this.#shares.get(worker.id) : undefined
      const now = requests[index] ?? 0
      const fresh = accepted[index] ?? 0
      return {
        id: worker.id,
        requestsTotal: requestsOf(worker),
        acceptedTotal: acceptedOf(worker),
        requestsPerSecond: known ? now : 0,
        keptPerSecond: known ? Math.max(0, now - fresh) : 0,
        requestsAbove: before === undefined ? 0 : before.requestsAbove * KEPT_OF_EXCESS + now - meanRequests,
        acceptedAbove: before === undefined ? 0 : before.acceptedAbove * KEPT_OF_EXCESS + fresh - meanAccepted,
        utilization: worker.tick?.eventLoopUtilization ?? 0,
        given: { connections: 0, requestsPerSecond: 0 },
      }
    })
    this.#shares = new Map(shares.map((share) => [share.id, share]))
    if (!known || workers.length < 2) return []
    return [...shedding(shares, meanRequests), ...listeningAnew(shares, meanAccepted)]
  }

  /**
   * The worker that should have one more kept connection.
   * @param workers those that serve
   */
  heir(workers: readonly WorkerView[], requestsPerSecond: number): number | undefined {
    let best: { readonly worker: WorkerView; readonly work: number; readonly connections: number } | undefined
    for (const worker of workers) {
      const share = this.#shares.get(worker.id)
      const work = (share?.requestsPerSecond ?? 0) + (share?.given.requestsPerSecond ?? 0)
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
  const busiest = shares
    .filter(({ requestsPerSecond }) => requestsPerSecond > meanRequests * (1 + TOLERANCE))
    .filter(({ requestsAbove, utilization }) => requestsAbove > 0 && utilization >= meanUtilization)
  return busiest.flatMap(({ id, requestsPerSecond, keptPerSecond }) => {
    const excess = Math.min(keptPerSecond, (requestsPerSecond - meanRequests) * DAMPING)
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
  utilization: 0,
  given: { connections: 0, requestsPerSecond: 0 },
})
