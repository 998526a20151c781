/** How long a place in the pool stays empty after its worker died: not at all at first, then 1 s, doubling to 60 s. */

export interface BackOff {
  /** Deaths in a row, each before the worker had served for `HEALTHY_MS`. */
  readonly deaths: number
  readonly notBeforeMs: number
}

const HEALTHY_MS = 10_000
const FIRST_MS = 1000
const LONGEST_MS = 60_000

export const FRESH: BackOff = { deaths: 0, notBeforeMs: 0 }

/** @param livedMs how long the worker had been ready; undefined when it died before it was. */
export function backOffAfter(before: BackOff, livedMs: number | undefined, nowMs: number): BackOff {
  const deaths = livedMs !== undefined && livedMs >= HEALTHY_MS ? 0 : before.deaths
  // The first death of a worker that served is an accident; one that never got that far will not get further at once.
  if (deaths === 0 && livedMs !== undefined) return { deaths: 1, notBeforeMs: nowMs }
  const delayMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, deaths - 1))
  return { deaths: Math.max(1, deaths) + 1, notBeforeMs: nowMs + delayMs }
}
