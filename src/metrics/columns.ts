/** Where in a worker's row of numbers each series stands. Master and workers run the same build, so the layout is agreed. */

import { COUNTERS, HISTOGRAMS } from './table.ts'

/** By key: `requests`, `responses.2xx`. */
export const COUNTER_COLUMNS: ReadonlyMap<string, number> = counterColumns()

/** By name: the first of its columns. They are: one for each bucket, one for what is above them all, one for the sum. */
export const HISTOGRAM_COLUMNS: ReadonlyMap<string, number> = histogramColumns(COUNTER_COLUMNS.size)

export const COLUMN_COUNT =
  COUNTER_COLUMNS.size + Object.values(HISTOGRAMS).reduce((sum, { buckets }) => sum + buckets.length + 2, 0)

function counterColumns(): Map<string, number> {
  const columns = new Map<string, number>()
  for (const [key, { label }] of Object.entries(COUNTERS)) {
    for (const series of label === undefined ? [key] : label.values.map((value) => `${key}.${value}`)) {
      columns.set(series, columns.size)
    }
  }
  return columns
}

function histogramColumns(from: number): Map<string, number> {
  const columns = new Map<string, number>()
  let next = from
  for (const [key, { buckets }] of Object.entries(HISTOGRAMS)) {
    columns.set(key, next)
    next += buckets.length + 2
  }
  return columns
}
