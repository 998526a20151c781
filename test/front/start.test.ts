/** `npm start`, as somebody runs it who has just cloned the repository. */

import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { httpRequest } from '../support/http-client.ts'
import { describeWith } from '../support/peers.ts'
import { childPids, isAlive } from '../support/proc.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { until } from '../support/until.ts'

const script = join(import.meta.dirname, '..', '..', 'scripts', 'start.mjs')

interface Started {
  readonly start: ServerProcess
  readonly port: number
  /** tsgi and nginx. */
  readonly servers: readonly number[]
}

async function npmStart(...args: string[]): Promise<Started> {
  const start = startServer({ name: 'npm start', command: process.execPath, args: [script, ...args] })
  const [, port] = await start.waitForLog(/^\s+http:\/\/127\.0\.0\.1:(\d+)\/$/, { deadlineMs: 50_000 })
  await start.waitForLog(/Ctrl-C stops it/)
  return { start, port: Number(port), servers: childPids(start.pid) }
}

const runtimeDirectories = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('tsgi-start-'))

async function expectNothingLeft({ start, servers }: Started, before: readonly string[]): Promise<void> {
  await start.exited
  await until('everything it started has ended', () => !servers.some(isAlive))
  expect(runtimeDirectories().filter((name) => !before.includes(name))).toEqual([])
}

describeWith(['nginx'], 'npm start with nginx', () => {
  test('serves the examples through nginx, and Ctrl-C stops all of it', async () => {
    const before = runtimeDirectories()
    const started = await npmStart()
    const page = await httpRequest(started, { path: '/' })
    expect([page.status, page.header('server')]).toEqual([200, expect.stringMatching(/^nginx/)])
    expect((await httpRequest(started, { path: '/hello' })).text).toBe('Hello, World!')
    expect(started.servers).toHaveLength(2)
    started.start.signal('SIGINT')
    expect(await started.start.exited).toEqual({ code: 0, signal: null })
    await expectNothingLeft(started, before)
  })

  test('when one of the two ends, it says so and stops the other', async () => {
    const before = runtimeDirectories()
    const started = await npmStart()
    const nginx = started.servers.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'nginx\n')
    process.kill(nginx ?? 0, 'SIGTERM')
    await started.start.waitForLog(/tsgi: nginx ended/)
    expect((await started.start.exited).code).toBe(1)
    await expectNothingLeft(started, before)
  })
})

test('npm start -- --http serves the examples without a front server', async () => {
  const before = runtimeDirectories()
  const started = await npmStart('--http')
  expect((await httpRequest(started, { path: '/hello' })).text).toBe('Hello, World!')
  expect(started.servers).toHaveLength(1)
  started.start.signal('SIGTERM')
  expect(await started.start.exited).toEqual({ code: 0, signal: null })
  await expectNothingLeft(started, before)
})
