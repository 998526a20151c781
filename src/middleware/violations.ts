/** What the checks of `validate` find, and who is told. */

import type { ErrorStream } from '../application.ts'
import { TsgiError } from '../errors.ts'

/**
 * `throw`: raised where it happens, for tests. `log`: a line on `tsgi.errors`. A function gets each as text. What comes to light
 * only when the response is over cannot be thrown at anybody and is logged. Doubts (`warn`) are never thrown.
 */
export type OnViolation = 'throw' | 'log' | ((violation: string) => void)

/** Where the checks of one request report to. */
export class Violations {
  readonly #onViolation: OnViolation
  readonly #errors: ErrorStream | undefined
  readonly #who: string

  constructor(onViolation: OnViolation, errors: ErrorStream | undefined, who: string) {
    this.#onViolation = onViolation
    this.#errors = errors
    this.#who = who
  }

  /** @param cause the error that the gateway would raise by itself */
  report(message: string, cause?: unknown): void {
    if (this.#onViolation === 'throw') {
      throw cause ?? new TsgiError('TSGI_APP_INVALID', `${this.#who}: ${message}`)
    }
    this.#say(message)
  }

  /** Found when nobody is left to throw at. */
  note(message: string): void {
    this.#say(message)
  }

  /** Allowed, and most likely not meant. */
  warn(message: string): void {
    this.#say(`${message} (warning)`)
  }

  #say(message: string): void {
    if (typeof this.#onViolation === 'function') this.#onViolation(message)
    else this.#errors?.write(`${this.#who}: ${message}\n`)
  }
}
