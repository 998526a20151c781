/** The results of a group on a terminal. */

import type { Measured } from './measure.ts'
import { type Summary, summarize } from './statistics.ts'
import { ratioOf } from './verdicts.ts'

const HEADINGS = ['', 'requests/s', '(min-max)', 'CPU us', '(min-max)', 'nginx us', 'p99 ms', 'against', 'rate', 'CPU']

export function table(results: readonly Measured[]): string {
  const rows = [HEADINGS, ...results.map((result) => cells(result, results))]
  // What is said instead of figures may be long and stretches no column.
  const whole = rows.filter((row) => row.length === HEADINGS.length)
  const widths = HEADINGS.map((_heading, column) => Math.max(...whole.map((row) => row[column]?.length ?? 0)))
  widths[0] = Math.max(...rows.map(([label = '']) => label.length))
  const textColumns = [0, 7]
  const pad = (cell: string, column: number): string => {
    const width = widths[column] ?? 0
    return textColumns.includes(column) || cell.length > width ? cell.padEnd(width) : cell.padStart(width)
  }
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}

function cells({ contender, samples, absent, failure }: Measured, results: readonly Measured[]): string[] {
  if (samples.length === 0) {
    const why = failure === undefined ? `not run: ${absent}` : `FAILED: ${failure.split('\n')[0]}`
    return [contender.label, why]
  }
  const rate = summarize(samples.map((sample) => sample.requestsPerSecond))
  const cpu = summarize(samples.map((sample) => sample.cpuUs))
  const nginx = summarize(samples.map((sample) => sample.nginxCpuUs))
  const p99 = summarize(samples.map((sample) => sample.p99Ms))
  const { against } = contender
  const ratio = (measure: 'requestsPerSecond' | 'cpuUs'): string => {
    const value = against === undefined ? undefined : ratioOf(results, contender.id, against, measure)
    return value === undefined ? '' : `${value.toFixed(2)}x`
  }
  return [
    contender.label,
    rate.median.toFixed(0),
    range(rate, 0),
    cpu.median.toFixed(1),
    range(cpu, 1),
    nginx.median.toFixed(1),
    p99.median.toFixed(1),
    against ?? '',
    ratio('requestsPerSecond'),
    ratio('cpuUs'),
  ]
}

const range = ({ min, max }: Summary, digits: number): string => `${min.toFixed(digits)}-${max.toFixed(digits)}`
