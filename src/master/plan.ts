/** What to do next, as a pure function of the roster, the options and the time. master.ts carries it out; nothing here happens. */

import { type Action, type Failure, type KillSignal, QUIT_GRACE_MS } from './actions.ts'
import { FRESH } from './back-off.ts'
import type { Reload, Roster, WorkerView } from './roster.ts'
import { inSeconds } from './words.ts'

interface Plan {
  /** In this order. When they are carried out and folded in, plan again until there are none. */
  readonly actions: readonly Action[]
  /** When time alone calls for the next plan; Infinity: never. */
  readonly wakeAtMs: number
}

export interface PlanOptions {
  readonly gracefulTimeoutMs: number
  /** 0: no limit. */
  readonly bootTimeoutMs: number
  /** 0: never. */
  readonly heartbeatTimeoutMs: number
}

/** A worker that has not begun to serve has nothing to abort. */
const QUIT_BOOTING_MS = 500

/** Time to write a core dump, where the machine keeps any. */
const ABORT_GRACE_MS = 2000

export function plan(roster: Roster, options: PlanOptions, nowMs: number): Plan {
  if (roster.exited) return { actions: [], wakeAtMs: Number.POSITIVE_INFINITY }
  const draft = new Draft(roster, options, nowMs)
  draft.deadlines()
  if (roster.stop !== undefined) draft.stop(roster.stop)
  else if (roster.reload !== undefined) draft.reload(roster.reload)
  else if (roster.reloadWanted && roster.everReady)
    draft.act({ kind: 'configure', generation: roster.lastGeneration + 1 })
  if (roster.stop === undefined) draft.pool()
  return { actions: draft.actions, wakeAtMs: draft.wakeAtMs }
}

/** One plan while it is made. */
class Draft {
  readonly actions: Action[] = []
  wakeAtMs = Number.POSITIVE_INFINITY
  readonly #roster: Roster
  readonly #options: PlanOptions
  readonly #nowMs: number
  #lastId: number

  constructor(roster: Roster, options: PlanOptions, nowMs: number) {
    this.#roster = roster
    this.#options = options
    this.#nowMs = nowMs
    this.#lastId = roster.lastId
  }

  act(action: Action): void {
    this.actions.push(action)
  }

  /** Kills who is silent, too slow to come up, or too slow to leave. */
  deadlines(): void {
    if (!this.#passed(this.#roster.lenientUntilMs)) return
    const { bootTimeoutMs, heartbeatTimeoutMs } = this.#options
    for (const worker of this.#roster.workers) {
      if (worker.killed !== undefined) {
        if (worker.killed.signal === 'SIGABRT' && this.#passed(worker.killed.atMs + ABORT_GRACE_MS)) {
          this.#kill(worker, 'SIGKILL', worker.killed.why)
        }
      } else if (worker.leaveByMs !== undefined && this.#passed(worker.leaveByMs)) {
        this.#kill(worker, 'SIGKILL', worker.phase === 'draining' ? 'graceful timeout' : 'told to leave, it did not')
      } else if (worker.phase === 'booting') {
        if (bootTimeoutMs > 0 && this.#passed(worker.spawnedAtMs + bootTimeoutMs)) {
          this.#kill(worker, 'SIGKILL', `boot timeout: it did not accept within ${inSeconds(bootTimeoutMs)}`)
        }
      } else if (heartbeatTimeoutMs > 0 && this.#passed(worker.heardAtMs + heartbeatTimeoutMs)) {
        const silence = inSeconds(this.#nowMs - worker.heardAtMs)
        this.#kill(worker, 'SIGABRT', `heartbeat timeout: its event loop has not turned for ${silence}`)
      }
    }
  }

  stop({ kind, exitCode, why }: NonNullable<Roster['stop']>): void {
    const { workers, reload } = this.#roster
    if (reload !== undefined) {
      this.act({
        kind: 'drop-reload',
        generation: reload.generation,
        failure: reload.failure ?? failed('tsgi is stopping'),
      })
    }
    for (const worker of workers) {
      if (kind === 'immediate') {
        if (worker.killed?.signal !== 'SIGKILL') this.#kill(worker, 'SIGKILL', why)
      } else if (kind === 'quick' || worker.phase === 'booting') this.#quit(worker, why)
      else this.#drain(worker, why)
    }
    if (workers.length === 0 && reload === undefined) this.act({ kind: 'exit', code: exitCode })
  }

  reload(reload: Reload): void {
    const fresh = this.#roster.workers.filter((worker) => worker.generation === reload.generation)
    if (reload.failure !== undefined) {
      for (const worker of fresh) this.#release(worker, 'the reload failed')
      this.act({ kind: 'drop-reload', generation: reload.generation, failure: reload.failure })
    } else if (reload.phase === 'configuring') {
      const { bootTimeoutMs } = this.#options
      if (bootTimeoutMs > 0 && this.#passed(reload.sinceMs + bootTimeoutMs)) {
        const failure = failed(`boot timeout: the configuration was not read within ${inSeconds(bootTimeoutMs)}`)
        this.act({ kind: 'fail-reload', generation: reload.generation, failure })
      }
    } else if (this.#fill(reload.generation, reload.target, 'reload') === 0) {
      const up = fresh.filter((worker) => worker.phase === 'ready').length
      if (up >= reload.target) this.act({ kind: 'commit-reload', generation: reload.generation })
    }
  }

  /** Keeps the pool at its size, each place filled by a worker of the serving generation. */
  pool(): void {
    const { generation, target, reload, workers } = this.#roster
    for (const worker of workers) {
      if (worker.generation < generation) this.#release(worker, 'replaced by a reload')
      else if (worker.slot > this.#size(worker)) this.#release(worker, 'the pool has become smaller')
    }
    // While new code comes up, the code on disk is the new one: a worker started now would not be of the old generation.
    if (reload?.phase === 'booting') return
    this.#fill(generation, target, this.#roster.everReady ? 'its place is free' : 'first start')
    this.#retire()
  }

  /** How many workers the generation of this one has. */
  #size(worker: WorkerView): number {
    const { reload, target } = this.#roster
    return reload?.phase === 'booting' && reload.generation === worker.generation ? reload.target : target
  }

  #release(worker: WorkerView, why: string): void {
    if (worker.phase === 'booting') this.#quit(worker, why)
    else this.#drain(worker, why)
  }

  /** Spawns what is missing in places 1 to `size`. @returns how many places are still empty. */
  #fill(generation: number, size: number, why: string): number {
    let empty = 0
    for (let slot = 1; slot <= size; slot += 1) {
      if (this.#holders(slot, generation).length > 0) continue
      empty += 1
      const { notBeforeMs } = this.#roster.backOffs.get(slot) ?? FRESH
      if (generation !== this.#roster.generation || this.#passed(notBeforeMs)) this.#spawn(slot, generation, why)
    }
    return empty
  }

  /** A worker that asked to go is replaced before it drains; one at a time, so that the pool never boots all at once. */
  #retire(): void {
    const { workers, generation, target } = this.#roster
    const serving = workers.filter((worker) => worker.generation === generation && worker.slot <= target)
    let busy = this.actions.some((action) => action.kind === 'spawn')
    for (const worker of serving) {
      if (worker.retire === undefined || worker.phase !== 'ready') continue
      const successor = this.#holders(worker.slot, generation).find((one) => one.id > worker.id)
      if (successor?.phase === 'ready') this.#drain(worker, worker.retire)
      else if (successor === undefined && !busy && serving.every((one) => one.phase !== 'booting')) {
        const { notBeforeMs } = this.#roster.backOffs.get(worker.slot) ?? FRESH
        if (!this.#passed(notBeforeMs)) continue
        this.#spawn(worker.slot, generation, worker.retire)
        busy = true
      }
    }
  }

  #holders(slot: number, generation: number): readonly WorkerView[] {
    return this.#roster.workers.filter(
      (worker) =>
        worker.slot === slot &&
        worker.generation === generation &&
        (worker.phase === 'booting' || worker.phase === 'ready'),
    )
  }

  #spawn(slot: number, generation: number, why: string): void {
    this.#lastId += 1
    this.act({ kind: 'spawn', id: this.#lastId, slot, generation, why })
  }

  #drain(worker: WorkerView, why: string): void {
    if (worker.phase === 'draining' || worker.phase === 'quitting') return
    this.act({ kind: 'drain', id: worker.id, graceMs: this.#options.gracefulTimeoutMs, why })
  }

  #quit(worker: WorkerView, why: string): void {
    // One that is killed hears nothing any more, and what it was killed for is why it dies.
    if (worker.phase === 'quitting' || worker.killed !== undefined) return
    const graceMs = worker.phase === 'booting' ? QUIT_BOOTING_MS : QUIT_GRACE_MS
    this.act({ kind: 'quit', id: worker.id, graceMs, why })
  }

  #kill(worker: WorkerView, signal: KillSignal, why: string): void {
    this.act({ kind: 'kill', id: worker.id, signal, why })
  }

  #passed(atMs: number): boolean {
    if (atMs <= this.#nowMs) return true
    this.wakeAtMs = Math.min(this.wakeAtMs, atMs)
    return false
  }
}

function failed(message: string): Failure {
  return { message, stack: '', exitCode: 1 }
}
