/** `tsgi.after`: what an application wants to do when its request is over. */

import type { Outcome } from '../application.ts'
import { isPromiseLike } from './promise-like.ts'

export type AfterCallback = (outcome: Outcome) => unknown

/** Whose callbacks they are. */
export interface AfterOwner {
  readonly outcome: Outcome
  callbackFailed(error: unknown): void
  callbacksDone(): void
}

export class AfterCallbacks {
  readonly #callbacks: AfterCallback[] = []

  /** Also while they run. */
  add(callback: AfterCallback): void {
    this.#callbacks.push(callback)
  }

  /** The last one first, each when the one before is done: most return nothing, and then nobody waits. */
  run(owner: AfterOwner): void {
    for (let callback = this.#callbacks.pop(); callback !== undefined; callback = this.#callbacks.pop()) {
      try {
        const pending = callback(owner.outcome)
        if (isPromiseLike(pending)) {
          pending.then(
            () => this.run(owner),
            (error: unknown) => {
              owner.callbackFailed(error)
              this.run(owner)
            },
          )
          return
        }
      } catch (error) {
        owner.callbackFailed(error)
      }
    }
    owner.callbacksDone()
  }
}
