/** Starts the contenders of a group together and measures them in turns. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../test/support/ports.ts'
import { until } from '../test/support/until.ts'
import type { Contender } from './contender.ts'
import { startFront } from './front.ts'
import { type Running, run } from './run.ts'
import type { Settings } from './settings.ts'
import { wrk } from './wrk.ts'

/** One load on one contender. */
export interface Sample {
  readonly requestsPerSecond: number
  /** Of all processes of the contender, user and system, for one request. */
  readonly cpuUs: number
  /** Of nginx, for the same requests. */
  readonly nginxCpuUs: number
  readonly p99Ms: number
}

export interface Measured {
  readonly contender: Pick<Contender, 'id' | 'label' | 'against'>
  /** One for each round; none where it did not run. */
  readonly samples: readonly Sample[]
  /** Why it did not: this machine does not have it. */
  readonly absent?: string
  /** Why it did not: it should have. */
  readonly failure?: string
}

export interface Result extends Measured {
  readonly contender: Contender
}

/** What everybody answers, byte for byte. */
const BODY = 'Hello, World!'
const READY_DEADLINE_MS = 30_000

interface Entry {
  readonly contender: Contender
  readonly directory: string
  readonly socket: string
  readonly port: number
  readonly samples: Sample[]
  running?: Running
  absent?: string
  failure?: string
}

export async function measure(
  contenders: readonly Contender[],
  settings: Settings,
  say: (line: string) => void,
): Promise<Result[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tsgi-bench-'))
  const started: Running[] = []
  try {
    const entries = await Promise.all(contenders.map((contender, index) => place(contender, directory, index)))
    for (const entry of entries) {
      await attempt(entry, async () => {
        const running = await start(entry, settings)
        if (running !== undefined) started.push(running)
      })
    }
    const behind = entries.map(({ contender, socket, port }) => ({ front: contender.front, socket, port }))
    const nginx = startFront(join(directory, 'nginx'), behind)
    started.push(nginx)
    for (const entry of entries) await attempt(entry, () => warmUp(entry, nginx, settings, say))
    for (let round = 1; round <= settings.rounds; round++) {
      for (const entry of entries) await attempt(entry, () => sample(entry, nginx, settings))
      say(`round ${round} of ${settings.rounds}`)
    }
    return entries.map(resultOf)
  } finally {
    for (const running of started.reverse()) await running.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function place(contender: Contender, directory: string, index: number): Promise<Entry> {
  const own = join(directory, String(index))
  mkdirSync(own)
  return { contender, directory: own, socket: join(own, 'app.sock'), port: await freePort(), samples: [] }
}

/** One that fails is out; the others go on. */
async function attempt(entry: Entry, step: () => Promise<void>): Promise<void> {
  if (entry.failure !== undefined || entry.absent !== undefined) return
  try {
    await step()
  } catch (error) {
    entry.failure = error instanceof Error ? error.message : String(error)
  }
}

async function start(entry: Entry, settings: Settings): Promise<Running | undefined> {
  const { contender, directory, socket } = entry
  const launch = await contender.prepare({ id: contender.id, directory, socket, settings })
  if ('absent' in launch) {
    entry.absent = launch.absent
    return undefined
  }
  entry.running = run(contender.label, launch)
  return entry.running
}

const urlOf = ({ port }: Entry): string => `http://127.0.0.1:${port}/`

async function warmUp(entry: Entry, nginx: Running, settings: Settings, say: (line: string) => void): Promise<void> {
  say(`warming up ${entry.contender.label}`)
  await until(`the right answer of ${entry.contender.label}`, () => answers(entry, nginx), READY_DEADLINE_MS)
  await wrk(urlOf(entry), settings.connections, settings.warmupSeconds)
}

async function answers(entry: Entry, nginx: Running): Promise<boolean> {
  entry.running?.check()
  nginx.check()
  const response = await fetch(urlOf(entry), { headers: { connection: 'close' } }).catch(() => undefined)
  return response?.status === 200 && (await response.text()) === BODY
}

async function sample(entry: Entry, nginx: Running, settings: Settings): Promise<void> {
  const { running } = entry
  if (running === undefined) return
  const before = [running.cpuMs(), nginx.cpuMs()] as const
  const load = await wrk(urlOf(entry), settings.connections, settings.seconds)
  const perRequestUs = (ms: number): number => (ms * 1000) / load.requests
  entry.samples.push({
    requestsPerSecond: load.requestsPerSecond,
    cpuUs: perRequestUs(running.cpuMs() - before[0]),
    nginxCpuUs: perRequestUs(nginx.cpuMs() - before[1]),
    p99Ms: load.p99Ms,
  })
}

const resultOf = ({ contender, samples, absent, failure }: Entry): Result => ({
  contender,
  samples: failure === undefined ? samples : [],
  ...(absent === undefined ? {} : { absent }),
  ...(failure === undefined ? {} : { failure }),
})
