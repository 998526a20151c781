/** What the service manager should know of the master, from what happened to its workers: sd_notify(3). Pure. */

import type { Roster } from './roster.ts'
import { workersText } from './words.ts'

interface ServiceState {
  readonly phase: 'starting' | 'serving' | 'reloading' | 'stopping'
  readonly status: string
}

export const STARTING: ServiceState = { phase: 'starting', status: '' }

/** Where the configuration switches the heartbeat off, a worker that is this silent is still taken for one that hangs. */
const SILENT_MS = 30_000

/** @returns what is true now, and the variables that say what is new */
export function observe(
  before: ServiceState,
  roster: Roster,
  monotonicUsec: bigint,
): { readonly state: ServiceState; readonly variables: readonly string[] } {
  const ready = roster.workers.filter(({ phase }) => phase === 'ready').length
  const phase = phaseOf(before, roster, ready)
  const status = statusOf(phase, roster, ready)
  const variables = phase === before.phase ? [] : ANNOUNCEMENTS[phase](monotonicUsec)
  if (status !== before.status) variables.push(`STATUS=${status}`)
  return { state: { phase, status }, variables }
}

const ANNOUNCEMENTS: Readonly<Record<ServiceState['phase'], (monotonicUsec: bigint) => string[]>> = {
  starting: () => [],
  serving: () => ['READY=1'],
  // Type=notify-reload tells by the time whether this belongs to the reload that it asked for.
  reloading: (monotonicUsec) => ['RELOADING=1', `MONOTONIC_USEC=${monotonicUsec}`],
  stopping: () => ['STOPPING=1'],
}

function phaseOf(before: ServiceState, { stop, reload }: Roster, ready: number): ServiceState['phase'] {
  if (stop !== undefined) return 'stopping'
  // Ready is when somebody accepts; that the service was ready once is not taken back.
  if (before.phase === 'starting' && ready === 0) return 'starting'
  return before.phase !== 'starting' && reload !== undefined ? 'reloading' : 'serving'
}

function statusOf(
  phase: ServiceState['phase'],
  { workers, target, generation, reload }: Roster,
  ready: number,
): string {
  switch (phase) {
    case 'starting':
      return `${workersText(target)} coming up`
    case 'reloading':
      return `Generation ${reload?.generation ?? generation} is coming up, generation ${generation} serves`
    case 'stopping':
      return `${workersText(workers.length)} leaving`
    case 'serving':
      return `${ready} of ${workersText(target)} ready, generation ${generation}`
  }
}

/**
 * At least one worker is well: its event loop turns. A master that only proves itself alive would keep a service running in
 * which nothing answers.
 * @param heartbeatTimeoutMs 0: off
 */
export function isWell({ workers }: Roster, heartbeatTimeoutMs: number, nowMs: number): boolean {
  const limitMs = heartbeatTimeoutMs || SILENT_MS
  return workers.some(({ phase, heardAtMs }) => phase === 'ready' && nowMs - heardAtMs < limitMs)
}
