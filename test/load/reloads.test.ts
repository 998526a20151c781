/**
 * Reloads while requests never cease. TSGI_TEST_LOAD=full: as many as a release should survive; a smaller number by default.
 */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startApache } from '../support/apache.ts'
import { constantLoad } from '../support/load.ts'
import { type Front, startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { socketPath, startTsgi } from '../support/tsgi.ts'

const app = join(import.meta.dirname, 'apps', 'load.mjs')
const full = process.env['TSGI_TEST_LOAD'] === 'full'
const RELOADS = full ? 200 : 16
const timeout = 600_000

type StartFront = (substitutions: Record<string, string>) => Promise<Front>

async function reloadUnderLoad(protocol: 'uwsgi' | 'fastcgi', startFront: StartFront) {
  const socket = socketPath()
  const tsgi = await startTsgi({ app, args: [`--${protocol}`, socket, '--workers', '2'] })
  const front = await startFront({ 'unix:/run/tsgi/app.sock': `unix:${socket}`, '/srv/app/public': tempDir() })
  const load = constantLoad({ url: `${front.url}/count`, method: 'POST', body: 'x'.repeat(1000) })
  const durationsMs: number[] = []
  let mostProcesses = 0
  for (let reload = 1; reload <= RELOADS; reload += 1) {
    const startedMs = performance.now()
    tsgi.signal('SIGHUP')
    await tsgi.waitForLog(new RegExp(`reloaded: generation ${reload + 1} serves`), { deadlineMs: 60_000 })
    durationsMs.push(performance.now() - startedMs)
    mostProcesses = Math.max(mostProcesses, tsgi.workerPids().length)
  }
  const tally = await load.stop()
  durationsMs.sort((one, other) => one - other)
  const middle = durationsMs[Math.floor(RELOADS / 2)] ?? 0
  console.log(
    `${RELOADS} reloads: ${Math.round(middle)} ms each (median), ${Math.round(durationsMs.at(-1) ?? 0)} ms at most; ` +
      `${tally.total} requests, the slowest ${Math.round(tally.slowestMs)} ms; at most ${mostProcesses} workers alive`,
  )
  return tally
}

describeWith(['nginx'], 'through nginx', () => {
  test(`${RELOADS} reloads under constant POSTs over uwsgi lose none`, { timeout }, async () => {
    const tally = await reloadUnderLoad('uwsgi', (substitutions) =>
      startNginx({ sites: [{ file: 'app.conf', substitutions }] }),
    )
    expect(tally).toMatchObject({ statuses: { 200: tally.total }, errors: {} })
  })

  test(`${RELOADS} reloads under constant POSTs over kept FastCGI connections lose none`, { timeout }, async () => {
    const tally = await reloadUnderLoad('fastcgi', (substitutions) =>
      startNginx({ sites: [{ file: 'fastcgi.conf', substitutions }] }),
    )
    expect(tally).toMatchObject({ statuses: { 200: tally.total }, errors: {} })
  })
})

describeWith(['apache2'], 'through Apache', () => {
  test(`${RELOADS} reloads under constant POSTs over reused FastCGI connections lose none`, { timeout }, async () => {
    const tally = await reloadUnderLoad('fastcgi', (substitutions) =>
      startApache({ site: 'app-fcgi.conf', substitutions }),
    )
    expect(tally).toMatchObject({ statuses: { 200: tally.total }, errors: {} })
  })
})
