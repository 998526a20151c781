/** What `tsgi request --repeat` prints: how many answers of which status, and how long they took. */

import { columns } from './terminal.ts'

export interface Answer {
  readonly status: number | undefined
  readonly ms: number
  readonly problem: string | undefined
}

export function summaryText(answers: readonly Answer[]): string {
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  const statuses = tally(answers.map(({ status }) => (status === undefined ? 'none' : String(status))))
  const problems = tally(answers.flatMap(({ problem }) => (problem === undefined ? [] : [problem])))
  return columns([
    ['requests', String(answers.length)],
    ...statuses.map(([status, count]) => [`status ${status}`, String(count)]),
    ...problems.map(([problem, count]) => ['failed', `${count}: ${problem}`]),
    ['time', `least ${text(at(0))}, median ${text(at(0.5))}, 99 % ${text(at(0.99))}, most ${text(at(1))}`],
  ])
}

function tally(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
}

function text(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}
