/** What a test file started, so that nothing outlives it: stopped in reverse order after the last test of the file. */

import { afterAll } from 'vitest'

type Stop = () => unknown
const started: Stop[] = []

/** `stop` may be called more than once. */
export function stopAfterTests(stop: Stop): void {
  started.push(stop)
}

afterAll(async () => {
  const failures: unknown[] = []
  for (const stop of started.splice(0).toReversed()) {
    try {
      await stop()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'could not be stopped after the tests')
})
