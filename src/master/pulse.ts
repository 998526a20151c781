/**
 * Tells when the master itself stood still: SIGSTOP, a frozen container or machine. Its workers may have too, and none of them
 * was silent then.
 */

import { monotonicMs } from '../clock.ts'

const PULSE_MS = 500

/**
 * A pulse this late is no pause yet. What can go by unseen, both together, must not make a worker late: it ticks once a second,
 * and the shortest --heartbeat-timeout is two.
 */
const LATE_MS = 250

export class Pulse {
  readonly #onPause: (pauseMs: number) => void
  #beatAtMs = monotonicMs()

  /** @param onPause called when time has gone by in which this process did not run */
  constructor(onPause: (pauseMs: number) => void) {
    this.#onPause = onPause
  }

  start(): void {
    this.#beatAtMs = monotonicMs()
    setInterval(() => this.beat(), PULSE_MS).unref()
  }

  /** Also to be called before anything is decided by the time: after a pause no timer is sure to be the first. */
  beat(): void {
    const nowMs = monotonicMs()
    const pauseMs = nowMs - this.#beatAtMs - PULSE_MS
    this.#beatAtMs = nowMs
    if (pauseMs > LATE_MS) this.#onPause(pauseMs)
  }
}
