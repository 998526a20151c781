/** What the master can do, decided by plan.ts, carried out by master.ts, and folded back into the roster. */

/** Why new code does not serve; `stack` is the application's own, or empty. */
export interface Failure {
  readonly message: string
  readonly stack: string
  readonly exitCode: number
}

export type KillSignal = 'SIGABRT' | 'SIGKILL'

export type Action =
  | {
      readonly kind: 'spawn'
      readonly id: number
      readonly slot: number
      readonly generation: number
      readonly why: string
    }
  | { readonly kind: 'drain'; readonly id: number; readonly graceMs: number; readonly why: string }
  /** Abort what is in flight and leave; alive after `graceMs`, it is killed. */
  | { readonly kind: 'quit'; readonly id: number; readonly graceMs: number; readonly why: string }
  | { readonly kind: 'kill'; readonly id: number; readonly signal: KillSignal; readonly why: string }
  /** Read the options again and bind what they add. */
  | { readonly kind: 'configure'; readonly generation: number }
  | { readonly kind: 'fail-reload'; readonly generation: number; readonly failure: Failure }
  /** Every new worker accepts: from here on the new generation is the one that serves. */
  | { readonly kind: 'commit-reload'; readonly generation: number }
  /** The old generation stays; whoever asked is told why. */
  | { readonly kind: 'drop-reload'; readonly generation: number; readonly failure: Failure }
  | { readonly kind: 'exit'; readonly code: number }

/** A worker aborts what is left when its grace ends; after this much more it is killed. */
export const LEAVE_MARGIN_MS = 2000

/** A worker told to leave at once. */
export const QUIT_GRACE_MS = 2000
