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
import { attempt, type Entry, inTurns, type Outcome } from './turns.ts'
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

/** Loaded, here or in containers. */
export type Measured = Outcome<Pick<Contender, 'id' | 'label' | 'against'>, Sample>

export type Result = Outcome<Contender, Sample>

/** What everybody answers, byte for byte. */
const BODY = 'Hello, World!'
const READY_DEADLINE_MS = 30_000

interface Placed extends Entry<Contender, Sample> {
  readonly directory: string
  readonly socket: string
  readonly port: number
  running?: Running
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
    return await inTurns(entries, {
      rounds: settings.rounds,
      warmUp: (entry) => warmUp(entry, nginx, settings),
      sample: (entry) => sample(entry, nginx, settings),
      say,
    })
  } finally {
    for (const running of started.reverse()) await running.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function place(contender: Contender, directory: string, index: number): Promise<Placed> {
  const own = join(directory, String(index))
  mkdirSync(own)
  return { contender, directory: own, socket: join(own, 'app.sock'), port: await freePort(), samples: [] }
}

async function start(entry: Placed, settings: Settings): Promise<Running | undefined> {
  const { contender, directory, socket } = entry
  const launch = await contender.prepare({ id: contender.id, directory, socket, settings })
  if ('absent' in launch) {
    entry.absent = launch.absent
    return undefined
  }
  entry.running = run(contender.label, launch)
  return entry.running
}

const urlOf = ({ port }: Placed): string => `http://127.0.0.1:${port}/`

async function warmUp(entry: Placed, nginx: Running, settings: Settings): Promise<void> {
  await until(`the right answer of ${entry.contender.label}`, () => answers(entry, nginx), READY_DEADLINE_MS)
  await wrk(urlOf(entry), settings.connections, settings.warmupSeconds)
}

async function answers(entry: Placed, nginx: Running): Promise<boolean> {
  entry.running?.check()
  nginx.check()
  const response = await fetch(urlOf(entry), { headers: { connection: 'close' } }).catch(() => undefined)
  return response?.status === 200 && (await response.text()) === BODY
}

async function sample(entry: Placed, nginx: Running, settings: Settings): Promise<Sample> {
  const { contender, running } = entry
  if (running === undefined) throw new Error(`${contender.label} was not started`)
  const before = [running.cpuMs(), nginx.cpuMs()] as const
  const load = await wrk(urlOf(entry), settings.connections, settings.seconds)
  const perRequestUs = (ms: number): number => (ms * 1000) / load.requests
  return {
    requestsPerSecond: load.requestsPerSecond,
    cpuUs: perRequestUs(running.cpuMs() - before[0]),
    nginxCpuUs: perRequestUs(nginx.cpuMs() - before[1]),
    p99Ms: load.p99Ms,
  }
}
