/** A worker dies under load: only what it had in hand is lost. */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { constantLoad, type Load } from '../support/load.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const app = join(import.meta.dirname, 'apps', 'load.mjs')
const CONNECTIONS = 8
const PROMPT_MS = 100
/** Of a machine that is busy with something else: the best of so many counts. */
const ATTEMPTS = 4

interface Scene {
  readonly tsgi: Tsgi
  readonly load: Load
  /** When each worker first answered, by its pid: Unix time. */
  readonly firstAnswers: Map<number, number>
  readonly stop: () => Promise<void>
}

async function start(workers: number): Promise<Scene> {
  const socket = socketPath()
  const tsgi = await startTsgi({ app, args: ['--uwsgi', socket, '--workers', String(workers)] })
  const substitutions = { 'unix:/run/tsgi/app.sock': `unix:${socket}`, '/srv/app/public': tempDir() }
  const nginx = await startNginx({ sites: [{ file: 'app.conf', substitutions }] })
  const firstAnswers = new Map<number, number>()
  const load = constantLoad({
    url: `${nginx.url}/`,
    method: 'POST',
    body: 'x'.repeat(1000),
    connections: CONNECTIONS,
    onBody: (text) => {
      const pid = Number(text)
      if (!firstAnswers.has(pid)) firstAnswers.set(pid, Date.now())
    },
  })
  await until('every worker has answered', () => tsgi.workerPids().every((pid) => firstAnswers.has(pid)), 30_000)
  const stop = async (): Promise<void> => {
    await load.stop()
    await nginx.stop()
    await tsgi.stop()
  }
  return { tsgi, load, firstAnswers, stop }
}

/** When the master said so: Unix time. */
function timeOf(tsgi: Tsgi, text: string): number {
  const record = tsgi.records().find(({ msg }) => typeof msg === 'string' && msg.includes(text))
  if (record === undefined) throw new Error(`nobody said ${text}`)
  return Date.parse(String(record['time']))
}

const failures = ({ load }: Scene): number => {
  const { total, statuses } = load.tally()
  return total - (statuses[200] ?? 0)
}

interface Respawn {
  /** From the death to the start of the next worker, and from there being ready to its first answer. */
  readonly startedAfterMs: number
  readonly answeredAfterMs: number
}

async function killTheOnly(scene: Scene): Promise<Respawn> {
  const { tsgi, firstAnswers } = scene
  const [killed = 0] = tsgi.workerPids()
  process.kill(killed, 'SIGKILL')
  const killedAt = Date.now()
  const ready = await tsgi.waitForLog(new RegExp(`worker 1 \\(pid (?!${killed}\\b)(\\d+)\\) is ready`))
  const successor = Number(ready[1])
  const answeredAt = await until('the successor answers', () => firstAnswers.get(successor), 30_000)
  return {
    startedAfterMs: timeOf(tsgi, `worker 1 starts (pid ${successor})`) - killedAt,
    answeredAfterMs: answeredAt - timeOf(tsgi, `worker 1 (pid ${successor}) is ready`),
  }
}

describeWith(['nginx'], 'a worker that is killed with SIGKILL under constant POSTs', () => {
  test('alone: only its requests in flight fail, its successor starts and answers at once', {
    timeout: 180_000,
  }, async () => {
    const seen: Respawn[] = []
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const scene = await start(1)
      const before = failures(scene)
      const respawn = await killTheOnly(scene)
      seen.push(respawn)
      await scene.stop()
      expect(before).toBe(0)
      expect(failures(scene)).toBeLessThanOrEqual(CONNECTIONS)
      if (respawn.startedAfterMs <= PROMPT_MS && respawn.answeredAfterMs <= PROMPT_MS) break
    }
    console.log(
      seen
        .map(
          ({ startedAfterMs, answeredAfterMs }) =>
            `started ${startedAfterMs} ms after the death, answered ${answeredAfterMs} ms after it was ready`,
        )
        .join('\n'),
    )
    expect(seen.at(-1)?.startedAfterMs).toBeLessThanOrEqual(PROMPT_MS)
    expect(seen.at(-1)?.answeredAfterMs).toBeLessThanOrEqual(PROMPT_MS)
  })

  test('one of two: nobody else notices', { timeout: 60_000 }, async () => {
    const scene = await start(2)
    const { tsgi, load } = scene
    const [killed = 0, other = 0] = tsgi.workerPids()
    expect(failures(scene)).toBe(0)
    process.kill(killed, 'SIGKILL')
    await tsgi.waitForLog(new RegExp(`\\(pid ${killed}\\) died`))
    const answered = load.tally().total
    const fromLine = tsgi.process.lines.length
    await tsgi.waitForLog(/is ready/, { fromLine })
    const whileOneWasMissing = load.tally().total - answered
    const pids = tsgi.workerPids()
    await scene.stop()
    expect(failures(scene)).toBeLessThanOrEqual(CONNECTIONS)
    expect(whileOneWasMissing).toBeGreaterThan(0)
    expect(pids).toContain(other)
    expect(pids).toHaveLength(2)
  })
})
