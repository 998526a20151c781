/** What systemd is told, received as systemd does: datagrams at NOTIFY_SOCKET. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fold, type RosterEvent } from '../../src/master/fold.ts'
import { createRoster, type Roster } from '../../src/master/roster.ts'
import { isWell, observe, STARTING } from '../../src/master/service-state.ts'
import { commandPath, describeWith } from '../support/peers.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'
import { startFakePool } from './support/fake-pool.ts'

const spawned = (id: number, slot: number, generation: number): RosterEvent => ({
  kind: 'acted',
  action: { kind: 'spawn', id, slot, generation, why: 'test' },
  pid: 1000 + id,
})
const ready = (id: number): RosterEvent => ({
  kind: 'message',
  id,
  message: { kind: 'ready', bootMs: 1, interface: 'tsgi' },
})

/** What is said after each event. */
function said(events: readonly RosterEvent[], workers = 2): string[][] {
  let roster = createRoster(workers)
  let state = STARTING
  const lines: string[][] = []
  for (const event of events) {
    roster = fold(roster, event, 0)
    const next = observe(state, roster, 123n)
    state = next.state
    lines.push([...next.variables])
  }
  return lines
}

test('it is ready when the first worker accepts, and not before', () => {
  expect(said([spawned(1, 1, 1), spawned(2, 2, 1), ready(1), ready(2)])).toEqual([
    ['STATUS=2 workers coming up'],
    [],
    ['READY=1', 'STATUS=1 of 2 workers ready, generation 1'],
    ['STATUS=2 of 2 workers ready, generation 1'],
  ])
})

test('a stop is said once, with how many are left', () => {
  const stop: RosterEvent = { kind: 'command', command: { kind: 'stop', how: 'graceful', why: 'test' } }
  const exited: RosterEvent = { kind: 'exited', id: 1, exit: { code: 0, signal: null } }
  expect(said([spawned(1, 1, 1), ready(1), stop, exited], 1).slice(2)).toEqual([
    ['STOPPING=1', 'STATUS=1 worker leaving'],
    ['STATUS=0 workers leaving'],
  ])
})

test('the watchdog is fed while one worker is heard of, whatever the others do', () => {
  const at = (roster: Roster, event: RosterEvent, nowMs: number): Roster => fold(roster, event, nowMs)
  let roster = at(at(createRoster(2), spawned(1, 1, 1), 0), spawned(2, 2, 1), 0)
  expect(isWell(roster, 10_000, 0)).toBe(false)
  roster = at(at(roster, ready(1), 0), ready(2), 5000)
  expect(isWell(roster, 10_000, 9000)).toBe(true)
  expect(isWell(roster, 10_000, 14_000)).toBe(true)
  expect(isWell(roster, 10_000, 16_000)).toBe(false)
  // Without a heartbeat timeout a worker that is silent for half a minute is not well either.
  expect(isWell(roster, 0, 34_000)).toBe(true)
  expect(isWell(roster, 0, 36_000)).toBe(false)
})

const RECEIVER = `
import os, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
while True:
    data, ancillary, _, _ = receiver.recvmsg(4096, 1024)
    for level, kind, fds in ancillary:
        # systemd-notify waits until its barrier is closed.
        if kind == socket.SCM_RIGHTS: os.close(int.from_bytes(fds[:4], sys.byteorder))
    if not data.startswith(b'BARRIER'): print(data.decode().replace('\\n', ' | '), flush=True)
`

describeWith(['systemd-notify', 'python3'], 'under systemd', () => {
  interface Manager {
    readonly path: string
    readonly process: ServerProcess
  }

  async function startManager(): Promise<Manager> {
    const path = join(tempDir('tsgi-notify-'), 'notify.sock')
    const process = startServer({ name: 'receiver', command: commandPath('python3'), args: ['-c', RECEIVER, path] })
    await until('the receiver is there', () => existsSync(path))
    return { path, process }
  }

  test('start, reload, failed reload and stop are told in order, each by its variables', async () => {
    const { path, process } = await startManager()
    const pool = await startFakePool({ env: { NOTIFY_SOCKET: path } })
    await process.waitForLog(/^READY=1 \| STATUS=[12] of 2 workers ready, generation 1$/)
    let fromLine = process.lines.length
    pool.server.signal('SIGHUP')
    const [, usec] = await process.waitForLog(/^RELOADING=1 \| MONOTONIC_USEC=(\d+) \| STATUS=Generation 2 is/, {
      fromLine,
    })
    // CLOCK_MONOTONIC, which is what systemd compares it with.
    expect(Math.abs(Number(usec) - Number(globalThis.process.hrtime.bigint() / 1000n))).toBeLessThan(60_000_000)
    await process.waitForLog(/^READY=1 \| STATUS=2 of 2 workers ready, generation 2$/, { fromLine })

    fromLine = process.lines.length
    pool.deploy({ version: 'broken', load: 'fail' })
    pool.server.signal('SIGHUP')
    await process.waitForLog(/^RELOADING=1 \| /, { fromLine })
    await process.waitForLog(/^READY=1 \| STATUS=2 of 2 workers ready, generation 2$/, { fromLine })

    fromLine = process.lines.length
    pool.server.signal('SIGTERM')
    await process.waitForLog(/^STOPPING=1 \| STATUS=\d workers leaving$/, { fromLine })
    await pool.server.exited
    expect(process.lines.filter((line) => line.startsWith('READY=1'))).toHaveLength(3)
  })

  test('the watchdog is fed while a worker is well, and no more when all hang', async () => {
    const { path, process } = await startManager()
    const pool = await startFakePool({
      config: { workers: 1, heartbeatTimeout: '4s' },
      env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000000' },
    })
    await process.waitForLog(/^WATCHDOG=1$/)
    // Asked to turn for ever; the answer never comes.
    void pool.ask('hang').catch(() => undefined)
    await pool.server.waitForLog(/is killed with SIGABRT/)
    const killedAt = process.lines.length
    await process.waitForLog(/^WATCHDOG=1$/, { fromLine: killedAt })
    await pool.server.stop()
  })

  test('another process’s watchdog is not ours, and workers see nothing of all this', async () => {
    const { path, process } = await startManager()
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000', WATCHDOG_PID: '1', FAKE_VARIABLE: 'seen' }
    const pool = await startFakePool({ config: { workers: 1 }, env })
    await process.waitForLog(/^READY=1/)
    expect(await pool.ask()).toMatchObject({ variable: 'seen', systemd: [] })
    await pool.server.stop()
    expect(process.lines.filter((line) => line.includes('WATCHDOG'))).toEqual([])
  })
})

test('where the command is missing, that is said once, and the service runs', async () => {
  const bin = tempDir('tsgi-bin-')
  const env = { NOTIFY_SOCKET: join(bin, 'nobody.sock'), WATCHDOG_USEC: '200000', PATH: bin }
  const pool = await startFakePool({ config: { workers: 1 }, env })
  await pool.server.waitForLog(/systemd cannot be told how the service is: systemd-notify cannot be started/)
  expect(await pool.ask()).toMatchObject({ version: 'one' })
  await pool.server.stop()
  expect(pool.server.lines.filter((line) => line.includes('systemd cannot be told'))).toHaveLength(1)
})
