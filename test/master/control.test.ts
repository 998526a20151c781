import { statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../../src/channel.ts'
import { controlRequest } from '../../src/master/control-client.ts'
import type { ControlCommand, ControlOutcome } from '../../src/master/control-messages.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'
import { type FakePool, startFakePool } from './support/fake-pool.ts'

function ctl(pool: FakePool, command: ControlCommand, progress: string[] = []): Promise<ControlOutcome> {
  return controlRequest(pool.control, command, (text) => progress.push(text))
}

describe('the control socket', () => {
  test('is for its owner alone', async () => {
    const pool = await startFakePool({ config: { workers: 1, socketMode: '0666' } })
    expect(statSync(pool.control).mode & 0o777).toBe(0o600)
    expect(statSync(pool.socket).mode & 0o777).toBe(0o666)
  })

  test('answers ping, status and workers', async () => {
    const pool = await startFakePool({ config: { workers: 2 } })
    expect(await ctl(pool, { command: 'ping' })).toEqual({ kind: 'ok', result: { pid: pool.server.pid } })
    expect(await ctl(pool, { command: 'status' })).toMatchObject({
      kind: 'ok',
      result: {
        state: 'serving',
        generation: 1,
        workersWanted: 2,
        workersReady: 2,
        listeners: [{ protocol: 'uwsgi' }],
      },
    })
    const outcome = await ctl(pool, { command: 'workers' })
    expect(outcome).toMatchObject({ kind: 'ok', result: { workers: [{ slot: 1, phase: 'ready' }, { slot: 2 }] } })
  })

  test('scales the pool', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    expect(await ctl(pool, { command: 'scale', workers: 3 })).toEqual({ kind: 'ok', result: { workers: 3 } })
    await until('three workers', () => pool.workerPids().length === 3)
  })

  test('reload streams what happens and ends when the new code serves alone', async () => {
    const pool = await startFakePool({ config: { workers: 2 } })
    pool.deploy({ version: 'two' })
    const progress: string[] = []
    expect(await ctl(pool, { command: 'reload' }, progress)).toEqual({ kind: 'ok', result: { generation: 2 } })
    expect(progress.at(-1)).toMatch(/is ready: 2 of 2$/)
    const answers = await Promise.all(Array.from({ length: 10 }, () => pool.ask()))
    expect(answers.every(({ version }) => version === 'two')).toBe(true)
  })

  test('reload of broken code fails with its message, stack and exit code', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    pool.deploy({ version: 'two', load: 'fail' })
    expect(await ctl(pool, { command: 'reload' })).toEqual({
      kind: 'failed',
      message: 'broken code of version two',
      stack: expect.stringContaining('deploy.ts:1:1'),
      exitCode: 3,
    })
    expect(await pool.ask()).toMatchObject({ version: 'one' })
  })

  test('a reload asked for during another waits for its own', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    const outcomes = await Promise.all([ctl(pool, { command: 'reload' }), ctl(pool, { command: 'reload' })])
    const generations = outcomes.map((outcome) => (outcome.kind === 'ok' ? outcome.result['generation'] : 0))
    // Both may have come before the first began: then one reload answers both.
    expect([2, 3]).toContain(Math.max(...generations.map(Number)))
    expect(outcomes.every(({ kind }) => kind === 'ok')).toBe(true)
  })

  test('stop ends when the last worker has left', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    expect(await ctl(pool, { command: 'stop' })).toEqual({ kind: 'ok', result: {} })
    expect(await pool.server.exited).toEqual({ code: 0, signal: null })
  })

  test.each([
    ['random bytes', Buffer.alloc(100, 0xff)],
    ['no MessagePack', Buffer.from([0, 0, 0, 2, 0xd9, 5])],
    ['an unknown command', encodeFrame({ command: 'format' })],
    ['scale without a number', encodeFrame({ command: 'scale' })],
  ])('%s cost the one connection only', async (_name, bytes) => {
    const pool = await sharedPool()
    const other = connect(pool.control)
    const garbage = connect(pool.control)
    garbage.write(bytes)
    await new Promise((resolve) => garbage.on('close', resolve))
    expect(other.destroyed).toBe(false)
    other.destroy()
    expect(await ctl(pool, { command: 'ping' })).toMatchObject({ kind: 'ok' })
    expect(await pool.ask()).toMatchObject({ slot: 1 })
  })

  test('that nobody serves is named, with the remedy', async () => {
    const path = `${tempDir()}/none.sock`
    await expect(controlRequest(path, { command: 'ping' }, () => undefined)).rejects.toThrow(/ENOENT.*--control/)
    writeFileSync(path, '')
    await expect(controlRequest(path, { command: 'ping' }, () => undefined)).rejects.toMatchObject({ code: 'TSGI_RUN' })
  })
})

let shared: Promise<FakePool> | undefined

function sharedPool(): Promise<FakePool> {
  shared ??= startFakePool({ config: { workers: 1 } })
  return shared
}
