/** What one worker counts: a row of numbers, so that counting costs an addition and reporting a copy. */

import { COLUMN_COUNT, COUNTER_COLUMNS, HISTOGRAM_COLUMNS } from './columns.ts'
import { type CounterKey, HISTOGRAMS, type HistogramName, type StatusClass } from './table.ts'

export class Counters {
  readonly #values = new Float64Array(COLUMN_COUNT)

  add(key: CounterKey, amount = 1): void {
    const column = COUNTER_COLUMNS.get(key)
    if (column !== undefined) this.#add(column, amount)
  }

  /** @param value in the metric's own unit: seconds */
  observe(name: HistogramName, value: number): void {
    const first = HISTOGRAM_COLUMNS.get(name)
    if (first === undefined) return
    const { buckets } = HISTOGRAMS[name]
    let bucket = 0
    // Few buckets, and most values are small: a search from below is the shortest.
    for (const bound of buckets) {
      if (value <= bound) break
      bucket += 1
    }
    this.#add(first + bucket, 1)
    this.#add(first + buckets.length + 1, value)
  }

  /** For `Tick.counters`: every column, in the order of columns.ts. */
  snapshot(): number[] {
    return [...this.#values]
  }

  #add(column: number, amount: number): void {
    this.#values[column] = (this.#values[column] ?? 0) + amount
  }
}

/** `responses.2xx` of 204; undefined where no head was sent. */
export function responseKey(status: number): `responses.${StatusClass}` | undefined {
  if (status >= 500) return 'responses.5xx'
  if (status >= 400) return 'responses.4xx'
  if (status >= 300) return 'responses.3xx'
  return status >= 200 ? 'responses.2xx' : undefined
}
