/** The master's picture of its workers: what it knows, and nothing that it does. fold.ts draws it, plan.ts reads it. */

import type { Tick } from '../messages.ts'
import type { Failure, KillSignal } from './actions.ts'
import type { BackOff } from './back-off.ts'

/**
 * booting: spawned, not accepting yet. ready: serves. draining: told to finish what is open. quitting: told to leave now, or
 * leaving by itself after it failed.
 */
export type Phase = 'booting' | 'ready' | 'draining' | 'quitting'

export interface WorkerView {
  /** Told apart by this for the whole life of the master. */
  readonly id: number
  readonly slot: number
  readonly generation: number
  /** Undefined when the process could not be started. */
  readonly pid: number | undefined
  readonly phase: Phase
  readonly spawnedAtMs: number
  readonly readyAtMs: number | undefined
  readonly heardAtMs: number
  /** draining, quitting: alive after this, it is killed. */
  readonly leaveByMs: number | undefined
  readonly killed: { readonly signal: KillSignal; readonly why: string; readonly atMs: number } | undefined
  readonly failure: Failure | undefined
  /** It asked to be replaced. */
  readonly retire: string | undefined
  readonly tick: Tick | undefined
  readonly bootMs: number | undefined
  readonly interface: string | undefined
}

type StopKind = 'graceful' | 'quick' | 'immediate'

export interface Stop {
  readonly kind: StopKind
  readonly exitCode: number
  readonly sinceMs: number
  readonly why: string
  /** What ended the first start. */
  readonly failure?: Failure
}

/** configuring: options are read again and sockets bound. booting: the new workers load the application. */
export type Reload =
  | { readonly phase: 'configuring'; readonly generation: number; readonly sinceMs: number; readonly failure?: Failure }
  | {
      readonly phase: 'booting'
      readonly generation: number
      readonly sinceMs: number
      readonly configuredWorkers: number
      readonly target: number
      readonly failure?: Failure
    }

export interface Roster {
  /** Workers wanted. */
  readonly target: number
  /** What the configuration said; `target` may have been changed since by a signal or a command. */
  readonly configuredWorkers: number
  /** The one that serves. */
  readonly generation: number
  readonly lastGeneration: number
  readonly lastId: number
  readonly workers: readonly WorkerView[]
  readonly backOffs: ReadonlyMap<number, BackOff>
  readonly reload: Reload | undefined
  readonly reloadWanted: boolean
  readonly stop: Stop | undefined
  /** The first worker came up: from now on a failure is survived. */
  readonly everReady: boolean
  readonly exited: boolean
  /** Until then nobody is late: the master stood still, and who stood still with it has to speak again first. */
  readonly lenientUntilMs: number
  readonly history: History
}

/** What workers that are gone have done, so that sums never go back. */
interface History {
  readonly spawned: number
  readonly spawnedBySlot: ReadonlyMap<number, number>
  /** Died without being told to leave. */
  readonly died: number
  /** Killed because their event loop hung. */
  readonly hung: number
  readonly hungBySlot: ReadonlyMap<number, number>
  readonly reloads: number
  readonly failedReloads: number
  readonly requestsTotal: number
  readonly counters: readonly number[]
}

export interface WorkerExit {
  readonly code: number | null
  readonly signal: string | null
  /** The process could not be started at all. */
  readonly error?: string
}

export function createRoster(workers: number): Roster {
  return {
    target: workers,
    configuredWorkers: workers,
    generation: 1,
    lastGeneration: 1,
    lastId: 0,
    workers: [],
    backOffs: new Map(),
    reload: undefined,
    reloadWanted: false,
    stop: undefined,
    everReady: false,
    exited: false,
    lenientUntilMs: 0,
    history: {
      spawned: 0,
      spawnedBySlot: new Map(),
      died: 0,
      hung: 0,
      hungBySlot: new Map(),
      reloads: 0,
      failedReloads: 0,
      requestsTotal: 0,
      counters: [],
    },
  }
}
