/** From what the workers reported to the text that Prometheus reads. */

import { AggregatorRegistry } from 'prom-client'
import { COLUMN_COUNT, COUNTER_COLUMNS, HISTOGRAM_COLUMNS } from './columns.ts'
import { COUNTERS, HISTOGRAMS, MASTER_METRICS, type MasterNumbers, WORKER_GAUGES, type WorkerNumbers } from './table.ts'

export interface MetricsInput {
  /** Summed over the workers that are gone: counters must not fall when one leaves. */
  readonly past: readonly number[]
  readonly workers: readonly ({ readonly slot: number } & WorkerNumbers)[]
  readonly master: MasterNumbers
}

/** As prom-client's registries give and take it. */
interface Exposed {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly aggregator: 'sum'
  readonly values: readonly Sample[]
}

interface Sample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

/** The body of an answer to `GET /metrics`, and its Content-Type. */
export interface Exposition {
  readonly text: string
  readonly contentType: string
}

export async function exposeMetrics(input: MetricsInput): Promise<Exposition> {
  const registry = AggregatorRegistry.aggregate([collectMetrics(input)])
  return { text: await registry.metrics(), contentType: registry.contentType }
}

function collectMetrics({ past, workers, master }: MetricsInput): readonly Exposed[] {
  const totals = sumColumns([past, ...workers.map(({ tick }) => tick.counters)])
  return [
    ...Object.entries(COUNTERS).map(([key, { name, help, label }]): Exposed => {
      const series =
        label === undefined
          ? [{ key, labels: {} }]
          : label.values.map((value) => ({ key: `${key}.${value}`, labels: { [label.name]: value } }))
      const values = series.map(({ key, labels }) => ({ labels, value: at(totals, COUNTER_COLUMNS.get(key)) }))
      return { name, help, type: 'counter', aggregator: 'sum', values }
    }),
    ...Object.entries(HISTOGRAMS).map(([key, { name, help, buckets }]): Exposed => {
      const values = histogramSamples(name, buckets, totals, HISTOGRAM_COLUMNS.get(key) ?? COLUMN_COUNT)
      return { name, help, type: 'histogram', aggregator: 'sum', values }
    }),
    ...Object.values(WORKER_GAUGES).map(({ name, help, each, read }): Exposed => {
      const values = workers.map((worker) => ({ labels: { worker: worker.slot }, value: read(worker) }))
      const sum = values.reduce((total, { value }) => total + value, 0)
      return {
        name,
        help,
        type: 'gauge',
        aggregator: 'sum',
        values: each === 'worker' ? values : [{ labels: {}, value: sum }],
      }
    }),
    ...Object.values(MASTER_METRICS).map(({ name, help, kind, read }): Exposed => {
      return { name, help, type: kind, aggregator: 'sum', values: [{ labels: {}, value: read(master) }] }
    }),
  ]
}

function sumColumns(rows: readonly (readonly number[])[]): readonly number[] {
  return Array.from({ length: COLUMN_COUNT }, (_, column) => rows.reduce((sum, row) => sum + at(row, column), 0))
}

/** Prometheus counts cumulatively: each bucket holds all below it. */
function histogramSamples(
  name: string,
  buckets: readonly number[],
  totals: readonly number[],
  first: number,
): Sample[] {
  let count = 0
  const samples: Sample[] = [...buckets, Number.POSITIVE_INFINITY].map((bound, index) => {
    count += at(totals, first + index)
    return {
      metricName: `${name}_bucket`,
      labels: { le: bound === Number.POSITIVE_INFINITY ? '+Inf' : bound },
      value: count,
    }
  })
  const sum = at(totals, first + buckets.length + 1)
  return [
    ...samples,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: count },
  ]
}

function at(row: readonly number[], column: number | undefined): number {
  return (column === undefined ? undefined : row[column]) ?? 0
}
