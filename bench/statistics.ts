/** Samples to what is said of them. */

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** @throws RangeError without samples */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return {
    median: (at(sorted, Math.floor(middle)) + at(sorted, Math.ceil(middle))) / 2,
    min: at(sorted, 0),
    max: at(sorted, sorted.length - 1),
  }
}

/**
 * The median of the ratios of each round: what slows the machine down for a while slows both of one round down, and the
 * ratio of two medians taken at different times would not know.
 */
export function medianRatio(samples: readonly number[], others: readonly number[]): number {
  return summarize(samples.map((sample, round) => sample / at(others, round))).median
}

function at(values: readonly number[], index: number): number {
  const value = values[index]
  if (value === undefined) throw new RangeError(`no sample ${index} of ${values.length}`)
  return value
}
