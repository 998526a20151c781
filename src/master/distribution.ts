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

  constructor(pool: Pool) {
    this.#pool = pool
  }

  start(): void {
    setInterval(() => this.#even(), MEASURE_INTERVAL_MS).unref()
  }

  /** Copies of all listening sockets, in their order. */
  handListeners(id: number, listeners: readonly Listener[]): void {
    for (const [index, { handle }] of listeners.entries()) this.#pool.process(id)?.hand(handle, { listener: index })
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
