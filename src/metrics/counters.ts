/** What one worker counts: a row of numbers, so that counting costs an addition and reporting a copy. */

import { COLUMN_COUNT, COUNTER_COLUMNS, HISTOGRAM_COLUMNS } from './columns.ts'
import { type CounterKey, HISTOGRAMS, type HistogramName, type StatusClass } from './table.ts'

/** Of what has no series, as errors that are the application's have none: typed arrays ignore it. */
const NO_COLUMN = -1

export class Counters {
  readonly #values = new Float64Array(COLUMN_COUNT)

  /** For what is counted now and then; what every request counts has a `counter` of its own. */
  add(key: CounterKey): void {
    this.counter(key).add(1)
  }

  counter(key: CounterKey): Counter {
    return new Counter(this.#values, COUNTER_COLUMNS.get(key) ?? NO_COLUMN)
  }

  histogram(name: HistogramName): Histogram {
    return new Histogram(this.#values, HISTOGRAM_COLUMNS.get(name) ?? NO_COLUMN, HISTOGRAMS[name].buckets)
  }

  /** For `Tick.counters`: every column, in the order of columns.ts. */
  snapshot(): number[] {
    return [...this.#values]
  }
}

/** One column of the row. */
export class Counter {
  readonly #values: Float64Array
  readonly #column: number

  constructor(values: Float64Array, column: number) {
    this.#values = values
    this.#column = column
  }

  add(amount: number): void {
    addTo(this.#values, this.#column, amount)
  }
}

/** As many columns as buckets, one for what is above them all, and one for the sum. */
export class Histogram {
  readonly #values: Float64Array
  readonly #first: number
  readonly #buckets: readonly number[]

  constructor(values: Float64Array, first: number, buckets: readonly number[]) {
    this.#values = values
    this.#first = first
    this.#buckets = buckets
  }

  /** @param value in the metric's own unit: seconds */
  observe(value: number): void {
    const buckets = this.#buckets
    let bucket = 0
    // Few buckets, and most values are small: a search from below is the shortest.
    while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket += 1
    addTo(this.#values, this.#first + bucket, 1)
    addTo(this.#values, this.#first + buckets.length + 1, value)
  }
}

function addTo(values: Float64Array, column: number, amount: number): void {
  values[column] = (values[column] ?? 0) + amount
}

/** `2xx` of 204; undefined where no head was sent. */
export function statusClass(status: number): StatusClass | undefined {
  if (status >= 500) return '5xx'
  if (status >= 400) return '4xx'
  if (status >= 300) return '3xx'
  return status >= 200 ? '2xx' : undefined
}
