/** Gives workers their sockets: copies of the listening ones, and kept connections that another worker hands over. */

import type { KeptConnection } from '../messages.ts'
import { Balance } from './balance.ts'
import type { Roster, WorkerView } from './roster.ts'
import type { BoundHandle, Listener } from './sockets.ts'
import type { WorkerProcess } from './worker-process.ts'

const MEASURE_INTERVAL_MS = 1000

export interface Pool {
  readonly roster: Roster
  /** Of the generation that serves. */
  readonly listeners: readonly Listener[]
  process(id: number): WorkerProcess | undefined
}

export class Distribution {
  readonly #pool: Pool
  readonly #balance = new Balance()
  /** What each was given: those of its own generation. */
  readonly #given = new WeakMap<WorkerProcess, readonly Listener[]>()
  /** Workers that do not have all of their last copies. */
  #unready = 0

  constructor(pool: Pool) {
    this.#pool = pool
  }

  start(): void {
    setInterval(() => this.#even(), MEASURE_INTERVAL_MS).unref()
  }

  /** Copies of all listening sockets, in their order. */
  handListeners(id: number, listeners: readonly Listener[]): void {
    const worker = this.#pool.process(id)
    if (worker === undefined) return
    this.#given.set(worker, listeners)
    for (const [index, { handle }] of listeners.entries()) worker.hand(handle, { listener: index, last: false })
  }

  /**
   * The same copies again, for the last time: a worker at its cap has let go of them, and nobody else accepts what is queued.
   * @param done all of them have theirs, or are gone: called once for those that get them in one turn
   */
  handLast(id: number, done: () => void): void {
    const worker = this.#pool.process(id)
    if (worker === undefined) return
    const listeners = this.#given.get(worker) ?? []
    for (const [index, { handle }] of listeners.entries()) worker.hand(handle, { listener: index, last: true })
    this.#unready += 1
    worker.whenArrived(() => {
      this.#unready -= 1
      if (this.#unready === 0) setImmediate(() => this.#unready === 0 && done())
    })
  }

  /**
   * @param handle of a connection that a worker hands over; never read here, and closed once it is passed on. Where nobody can
   * take it that ends the connection, between two requests.
   */
  passOn(connection: KeptConnection, handle: BoundHandle): void {
    const heir = this.#balance.heir(this.#serving, connection.requestsPerSecond)
    const worker = heir === undefined ? undefined : this.#pool.process(heir)
    if (worker === undefined) handle.close()
    else worker.hand(handle, { connection }, () => handle.close())
  }

  get #serving(): readonly WorkerView[] {
    const { workers, generation } = this.#pool.roster
    return workers.filter((worker) => {
      return worker.generation === generation && worker.phase === 'ready' && worker.killed === undefined
    })
  }

  #even(): void {
    const { stop, reload } = this.#pool.roster
    const corrections = this.#balance.measure(this.#serving)
    if (stop !== undefined || reload !== undefined) return
    for (const correction of corrections) {
      if (correction.kind === 'listen-anew') this.handListeners(correction.id, this.#pool.listeners)
      else {
        const { id, requestsPerSecond } = correction
        this.#pool.process(id)?.send({ kind: 'shed', requestsPerSecond })
      }
    }
  }
}
