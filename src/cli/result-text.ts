/** An answer of the control socket as text: single values line by line, then a table for each list of rows. */

import { columns, paint } from './terminal.ts'

type Row = Readonly<Record<string, unknown>>

export function resultText(result: Row): string {
  const lists = Object.entries(result).filter(([, value]) => isRows(value))
  const single = Object.entries(result).filter(([, value]) => !isRows(value))
  const blocks = [
    columns(single.map(([name, value]) => [label(name), valueText(name, value)])),
    ...lists.map(([name, rows]) => `${paint('bold', label(name))}\n${table(isRows(rows) ? rows : [])}`),
  ]
  return blocks.filter((block) => block !== '').join('\n\n')
}

function isRows(value: unknown): value is readonly Row[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null)
}

function table(rows: readonly Row[]): string {
  if (rows.length === 0) return 'none'
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  // A column that says nothing of any row takes room from the others.
  const used = names.filter((name) => rows.some((row) => !saysNothing(name, row[name])))
  return columns([used.map(heading), ...rows.map((row) => used.map((name) => valueText(name, row[name])))])
}

/** Workers report once a second: what was said so lately is as it should be. */
const USUAL: Readonly<Record<string, number>> = { silentMs: 2000, oldestRequestMs: 0 }

function saysNothing(name: string, value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'number' && value <= (USUAL[name] ?? -1))
}

/** Where the full name would make a table wider than a terminal. */
const HEADINGS: Readonly<Record<string, string>> = {
  generation: 'gen',
  connections: 'conns',
  requestsInFlight: 'active',
  requestsTotal: 'requests',
  oldestRequestMs: 'oldest',
  rssBytes: 'memory',
  eventLoopUtilization: 'busy',
}

function heading(name: string): string {
  return HEADINGS[name] ?? label(name)
}

/** `requestsInFlight` is `requests in flight`; a unit is shown with the value. */
function label(name: string): string {
  const words = name.replace(/(?:Ms|Bytes)$/, '').replace(/([a-z])([A-Z])/g, '$1 $2')
  return words.toLowerCase()
}

function valueText(name: string, value: unknown): string {
  if (value === undefined || value === null) return '-'
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value !== 'number') return String(value)
  if (name.endsWith('Ms')) return durationText(value)
  if (name.endsWith('Bytes')) return `${Math.round(value / 1024 ** 2)} MB`
  if (name.endsWith('Utilization')) return `${Math.round(value * 100)} %`
  return Number.isInteger(value) ? String(value) : value.toFixed(2)
}

const STEPS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** Two units are enough: `3d 4h`, `12s`, `80ms`. */
export function durationText(ms: number): string {
  const first = STEPS.findIndex(([, size]) => ms >= size)
  if (first < 0) return `${Math.round(ms)}ms`
  let rest = ms
  const parts: string[] = []
  for (const [unit, size] of STEPS.slice(first, first + 2)) {
    const amount = Math.floor(rest / size)
    rest -= amount * size
    if (amount > 0) parts.push(`${amount}${unit}`)
  }
  return parts.join(' ')
}
