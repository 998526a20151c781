/** Memory of this process, read once a second. Linux gives it as a file: a worker that has no descriptor left cannot read it. */

import { asError } from '../errors.ts'
import type { Log } from '../log/logger.ts'
import { createRateLimit, REPEAT_INTERVAL_MS } from '../log/rate-limit.ts'

export class ResidentMemory {
  readonly #log: Pick<Log, 'error'>
  readonly #read: () => number
  readonly #say = createRateLimit(REPEAT_INTERVAL_MS)
  #lastBytes = 0

  constructor(log: Pick<Log, 'error'>, read: () => number = () => process.memoryUsage.rss()) {
    this.#log = log
    this.#read = read
  }

  /** What it was before, where it cannot be read. */
  bytes(): number {
    try {
      this.#lastBytes = this.#read()
    } catch (thrown) {
      const { message } = asError(thrown)
      const what = /EMFILE|ENFILE/.test(message)
        ? 'no file descriptor is left: new connections are closed unserved, and the application can open nothing; raise the limit (LimitNOFILE=, ulimit -n)'
        : 'the memory of this worker cannot be read'
      this.#say(what, () => this.#log.error({ error: message }, what))
    }
    return this.#lastBytes
  }
}
