/** What a test file started and made, so that nothing outlives it. */

import { afterAll } from 'vitest'

type Action = () => unknown
const stops: Action[] = []
const removals: Action[] = []

/** `stop` may be called more than once. */
export function stopAfterTests(stop: Action): void {
  stops.push(stop)
}

/** For what is in use until all is stopped: folders. */
export function removeAfterTests(remove: Action): void {
  removals.push(remove)
}

// All at once: some take their time, and none has to wait for another.
const runAll = (actions: readonly Action[]): Promise<PromiseSettledResult<unknown>[]> =>
  Promise.allSettled(actions.map(async (action) => action()))

afterAll(async () => {
  const outcomes = [...(await runAll(stops.splice(0))), ...(await runAll(removals.splice(0)))]
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (failures.length > 0) throw new AggregateError(failures, 'could not be stopped after the tests')
})
