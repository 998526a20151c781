/** Memory for each open WebSocket: a fresh process each time, its garbage collected before and after they are opened. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childPids, rssBytes } from '../test/support/proc.ts'
import { until } from '../test/support/until.ts'
import type { Place } from './contender.ts'
import { openSockets, type SocketProtocol, settle } from './idle-sockets.ts'
import { type Launch, type Running, run } from './run.ts'
import type { Settings } from './settings.ts'
import { type Summary, summarize } from './statistics.ts'
import { type Entry, inTurns, type Outcome } from './turns.ts'

export interface SocketContender {
  readonly id: string
  readonly label: string
  /** What is spoken on its socket. */
  readonly protocol: SocketProtocol
  readonly against?: string
  readonly prepare: (place: Place) => Launch
}

/** What was promised: each takes at most so much more memory. */
export interface MemoryFigure {
  readonly subject: string
  readonly against: string
  readonly maxBytes: number
}

export interface SocketGroup {
  readonly title: string
  readonly contenders: readonly SocketContender[]
  readonly figures: readonly MemoryFigure[]
}

/** Samples: resident memory for each WebSocket, in bytes. */
export type SocketResult = Outcome<SocketContender, number>

/** Opened and closed before anything is measured: what is loaded and compiled with the first is not theirs. */
const WARM_UP_SOCKETS = 200
const READY_DEADLINE_MS = 30_000

/** @param count WebSockets on each contender */
export async function measureSockets(
  contenders: readonly SocketContender[],
  count: number,
  settings: Settings,
  say: (line: string) => void,
): Promise<SocketResult[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tsgi-bench-'))
  const entries = contenders.map((contender): Entry<SocketContender, number> => ({ contender, samples: [] }))
  try {
    return await inTurns(entries, {
      rounds: settings.rounds,
      sample: ({ contender }, round) => {
        const own = join(directory, `${contender.id}-${round}`)
        mkdirSync(own)
        return sample(contender, own, count, settings)
      },
      say,
    })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function sample(
  { id, label, protocol, prepare }: SocketContender,
  directory: string,
  count: number,
  settings: Settings,
): Promise<number> {
  const socket = join(directory, 'app.sock')
  const running = run(label, prepare({ id, directory, socket, settings }))
  try {
    await until(`an answer of ${label}`, () => answers(running, protocol, socket), READY_DEADLINE_MS)
    // tsgi's worker is the only child of its master.
    const [worker = running.pid] = childPids(running.pid)
    await (await openSockets(protocol, socket, WARM_UP_SOCKETS)).close()
    await settle(protocol, socket)
    const beforeBytes = rssBytes(worker)
    const opened = await openSockets(protocol, socket, count)
    await settle(protocol, socket)
    const afterBytes = rssBytes(worker)
    running.check()
    opened.check()
    await opened.close()
    return (afterBytes - beforeBytes) / count
  } finally {
    await running.stop()
  }
}

async function answers(running: Running, protocol: SocketProtocol, socket: string): Promise<boolean> {
  running.check()
  return settle(protocol, socket).then(
    () => true,
    () => false,
  )
}

/** The rounds of both, subtracted; undefined where one of the two did not run. */
export function beyond(results: readonly SocketResult[], subject: string, against: string): Summary | undefined {
  const samplesOf = (id: string) =>
    results.find(({ contender, failure }) => contender.id === id && failure === undefined)
  const ours = samplesOf(subject)
  const theirs = samplesOf(against)
  if (ours === undefined || theirs === undefined) return undefined
  return summarize(ours.samples.map((bytes, round) => bytes - (theirs.samples[round] ?? Number.NaN)))
}

const inKb = (bytes: number): string => (bytes / 1024).toFixed(1)

export function socketTable(results: readonly SocketResult[]): string {
  const rows = results.map(({ contender, samples, failure }) => {
    if (failure !== undefined) return [contender.label, `FAILED: ${failure.split('\n')[0]}`]
    const { median, min, max } = summarize(samples)
    const more = contender.against === undefined ? undefined : beyond(results, contender.id, contender.against)
    return [
      contender.label,
      inKb(median),
      `${inKb(min)}-${inKb(max)}`,
      contender.against ?? '',
      more === undefined ? '' : `${more.median < 0 ? '' : '+'}${inKb(more.median)}`,
    ]
  })
  const all = [['', 'KB each', '(min-max)', 'against', 'KB more'], ...rows]
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...all.filter((row) => column === 0 || row.length > 2).map((row) => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number): string =>
    column === 0 || column === 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return all.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}

/** `ok memory of ws on tsgi, uwsgi beyond ws on node:http: wanted at most 12.0 KB, measured 3.1 KB` */
export function memoryVerdict({ subject, against, maxBytes }: MemoryFigure, results: readonly SocketResult[]): string {
  const label = (id: string): string => results.find(({ contender }) => contender.id === id)?.contender.label ?? id
  const measured = beyond(results, subject, against)?.median
  const sign = measured === undefined ? '-' : measured <= maxBytes ? 'ok' : 'NO'
  const outcome = measured === undefined ? 'not measured' : `measured ${inKb(measured)} KB`
  return `${sign.padEnd(3)}memory of ${label(subject)} beyond ${label(against)}: wanted at most ${inKb(maxBytes)} KB, ${outcome}`
}
