/** Who waits for which reload. A command that comes during one waits for the next: only that one saw what was deployed. */

import type { Asker } from './control.ts'
import type { ControlOutcome } from './control-messages.ts'

export class ReloadAskers {
  #next: Asker[] = []
  #current: Asker[] = []

  add(asker: Asker): void {
    this.#next.push(asker)
  }

  begin(): void {
    this.#current.push(...this.#next)
    this.#next = []
  }

  progress(text: string): void {
    for (const asker of this.#current) asker.progress(text)
  }

  end(outcome: ControlOutcome): void {
    for (const asker of this.#current) asker.done(outcome)
    this.#current = []
  }

  /** No reload will come any more. */
  giveUp(message: string): void {
    this.begin()
    this.end({ kind: 'failed', message, stack: '', exitCode: 1 })
  }
}
