import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { controlRequest } from '../../src/master/control-client.ts'
import { isAlive } from '../support/proc.ts'
import { until } from '../support/until.ts'
import { gone, startFakePool } from './support/fake-pool.ts'

describe('workers', () => {
  test('are as many as wanted, and all serve the one socket', async () => {
    const pool = await startFakePool({ config: { workers: 2 } })
    expect(pool.workerPids()).toHaveLength(2)
    const pids = new Set<number>()
    await until('both workers answered', async () => pids.add((await pool.ask()).pid).size === 2)
    expect([...pids].sort()).toEqual(pool.workerPids().sort())
  })

  test('that are killed are replaced; a caller waits in the queue and is served', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    const { pid } = await pool.ask()
    process.kill(pid, 'SIGKILL')
    await gone([pid])
    const next = await pool.ask()
    expect(next).toMatchObject({ slot: 1, generation: 1 })
    expect(next.pid).not.toBe(pid)
    expect(pool.server.lines.join('\n')).toContain('SIGKILL, not sent by tsgi; perhaps out of memory?')
  })

  test('that call process.exit are replaced and named', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    await expect(pool.ask('exit 5')).rejects.toThrow('closed')
    await pool.server.waitForLog(/died: exit code 5/)
    expect(await pool.ask()).toMatchObject({ slot: 1 })
  })

  test('that hang are aborted after the heartbeat timeout, with the reason in the log', async () => {
    const pool = await startFakePool({ config: { workers: 1, heartbeatTimeout: '2s' } })
    const { pid } = await pool.ask()
    const hung = pool.ask('hang')
    await expect(hung).rejects.toThrow()
    await pool.server.waitForLog(/is killed with SIGABRT: heartbeat timeout/)
    expect((await pool.ask()).pid).not.toBe(pid)
  })

  test('that stood still together with their master are left alone; one that stays behind is aborted', async () => {
    const pool = await startFakePool({ config: { workers: 4, heartbeatTimeout: '2s' } })
    const [left, ...others] = pool.workerPids()
    if (left === undefined) throw new Error('no worker')
    const all = [pool.server.pid, left, ...others]
    for (const pid of all) process.kill(pid, 'SIGSTOP')
    const stoppedMs = performance.now()
    await until('they stood still for longer than the timeout', () => performance.now() - stoppedMs > 3500)
    process.kill(pool.server.pid, 'SIGCONT')
    // The master is the first to run again: all that it could decide by the time, it has decided.
    const ping = () => controlRequest(`unix:${pool.control}`, { command: 'ping' }, () => undefined)
    for (let turn = 0; turn < 3; turn += 1) expect(await ping()).toMatchObject({ kind: 'ok' })
    for (const pid of others) process.kill(pid, 'SIGCONT')
    await pool.server.waitForLog(new RegExp(`pid ${left}\\) is killed with SIGABRT: heartbeat timeout`))
    process.kill(left, 'SIGCONT')
    await until('it was replaced', () => pool.workerPids().length === 4 && !pool.workerPids().includes(left))
    expect(pool.workerPids()).toEqual(expect.arrayContaining(others))
    expect(pool.server.lines.filter((line) => line.includes('is killed with'))).toHaveLength(1)
  })

  test('that break the channel are killed', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    const { pid } = await pool.ask('garbage')
    await pool.server.waitForLog(/broke its channel to the master/)
    await gone([pid])
    expect((await pool.ask()).pid).not.toBe(pid)
  })

  test('that ask to be replaced serve until the new one is there', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    const { pid } = await pool.ask('retire')
    await until('the replacement answers', async () => (await pool.ask()).pid !== pid)
    await gone([pid])
    expect(pool.workerPids()).toHaveLength(1)
  })

  test('leave when the master is killed, and the next master takes the socket over', async () => {
    const pool = await startFakePool()
    const pids = pool.workerPids()
    pool.server.signal('SIGKILL')
    await gone(pids)
    expect(existsSync(pool.socket)).toBe(true)
    const next = await startFakePool({ directory: pool.directory })
    expect(await next.ask()).toMatchObject({ version: 'one' })
  })

  test('get the variables and the folder of the options', async () => {
    const pool = await startFakePool({ config: { workers: 1, env: ['FAKE_VARIABLE=a=b'], chdir: '/' } })
    expect(await pool.ask()).toMatchObject({ variable: 'a=b', cwd: '/' })
  })
})

describe('the first start', () => {
  test('of an application that does not load ends with 3, after its stack', async () => {
    const pool = await startFakePool({ behaviour: { version: 'one', load: 'fail' }, waitUntilReady: false })
    expect(await pool.server.exited).toEqual({ code: 3, signal: null })
    expect(pool.server.lines.join('\n')).toContain('deploy.ts:1:1')
    expect(existsSync(pool.socket)).toBe(false)
  })

  test('of an application that ends the process ends with 3', async () => {
    const pool = await startFakePool({ behaviour: { version: 'one', load: 'crash' }, waitUntilReady: false })
    expect(await pool.server.exited).toEqual({ code: 3, signal: null })
    expect(pool.server.lines.join('\n')).toContain('exit code 7')
  })

  test('of an application that never comes up ends with 3 after the boot timeout', async () => {
    const pool = await startFakePool({
      behaviour: { version: 'one', load: 'hang' },
      config: { bootTimeout: '300ms' },
      waitUntilReady: false,
    })
    expect(await pool.server.exited).toEqual({ code: 3, signal: null })
    expect(pool.server.lines.join('\n')).toContain('boot timeout')
  })
})

test('a folder that is not there ends the first start with 3 and is named', async () => {
  const pool = await startFakePool({ config: { workers: 1, chdir: '/no/such/folder' }, waitUntilReady: false })
  expect(await pool.server.exited).toEqual({ code: 3, signal: null })
  expect(pool.server.lines.join('\n')).toMatch(/could not be started: there is no folder \/no\/such\/folder/)
})

describe('a reload by SIGHUP', () => {
  test('replaces every worker by one of the new code, and refuses no connection meanwhile', async () => {
    const pool = await startFakePool()
    const before = pool.workerPids()
    pool.deploy({ version: 'two' })
    pool.server.signal('SIGHUP')
    const versions: string[] = []
    await until('the new code answers alone', async () => {
      versions.push((await pool.ask()).version)
      return versions.slice(-20).filter((version) => version === 'two').length === 20
    })
    await gone(before)
    expect(versions[0]).toBe('one')
    expect(pool.workerPids()).toHaveLength(2)
  })

  test('of broken code keeps the old serving and logs its stack', async () => {
    const pool = await startFakePool()
    const before = pool.workerPids().sort()
    pool.deploy({ version: 'two', load: 'fail' })
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/the reload failed, generation 1 goes on: broken code of version two/)
    expect(pool.server.lines.join('\n')).toContain('deploy.ts:1:1')
    await until('the new workers are gone', () => pool.workerPids().length === 2)
    expect(pool.workerPids().sort()).toEqual(before)
    expect(await pool.ask()).toMatchObject({ version: 'one', generation: 1 })
    pool.deploy({ version: 'three' })
    pool.server.signal('SIGHUP')
    await until('the mended code answers', async () => (await pool.ask()).version === 'three')
  })

  test('with broken options keeps the old serving', async () => {
    const pool = await startFakePool()
    pool.configure({ workers: 'many' })
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/the reload failed, generation 1 goes on/)
    expect(await pool.ask()).toMatchObject({ generation: 1 })
  })

  test('kills an old worker that does not leave within the graceful timeout', async () => {
    const pool = await startFakePool({
      config: { workers: 1, gracefulTimeout: '100ms' },
      behaviour: { version: 'one', drain: 'ignore' },
    })
    const before = pool.workerPids()
    pool.deploy({ version: 'two' })
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/is killed with SIGKILL: graceful timeout/)
    await gone(before)
    expect(await pool.ask()).toMatchObject({ version: 'two' })
  })

  test('takes up a listener that was added and lets go of one that was removed', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    const other = `${pool.directory}/other.sock`
    pool.configure({ workers: 1, uwsgi: [pool.socket, other] })
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/generation 2 serves/)
    expect(await pool.ask('who', other)).toMatchObject({ generation: 2 })
    pool.configure({ workers: 1, uwsgi: [other] })
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/generation 3 serves/)
    expect(existsSync(pool.socket)).toBe(false)
    expect(await pool.ask('who', other)).toMatchObject({ generation: 3 })
  })

  test('lets go again of a listener that came with code that does not load', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    const other = `${pool.directory}/other.sock`
    pool.configure({ workers: 1, uwsgi: [pool.socket, other] })
    pool.deploy({ version: 'two', load: 'fail' })
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/the reload failed/)
    expect(existsSync(other)).toBe(false)
    expect(await pool.ask()).toMatchObject({ version: 'one' })
  })
})

describe('signals', () => {
  test('SIGTERM lets a connection that is open finish, then ends with 0 and removes the socket files', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    const socket = connect(pool.socket)
    await new Promise((resolve) => socket.once('connect', resolve))
    const workers = pool.workerPids()
    await until('the connection was accepted', async () => (await pool.ask()) !== undefined)
    pool.server.signal('SIGTERM')
    await pool.server.waitForLog(/drains: SIGTERM/)
    expect(workers.every(isAlive)).toBe(true)
    const answered = new Promise((resolve) => socket.once('data', resolve))
    socket.write('who\n')
    expect(String(await answered)).toContain('"version":"one"')
    socket.destroy()
    expect(await pool.server.exited).toEqual({ code: 0, signal: null })
    expect(existsSync(pool.socket)).toBe(false)
    expect(existsSync(pool.control)).toBe(false)
    await gone(workers)
  })

  test('SIGINT ends quickly with 0, whatever is open', async () => {
    const pool = await startFakePool()
    const socket = connect(pool.socket)
    await new Promise((resolve) => socket.once('connect', resolve))
    pool.server.signal('SIGINT')
    expect(await pool.server.exited).toEqual({ code: 0, signal: null })
  })

  test('a second SIGINT kills workers that do not leave', async () => {
    const pool = await startFakePool({ config: { workers: 1, gracefulTimeout: 60 } })
    const workers = pool.workerPids()
    void pool.ask('hang').catch(() => undefined)
    pool.server.signal('SIGTERM')
    await pool.server.waitForLog(/drains: SIGTERM/)
    pool.server.signal('SIGINT')
    await pool.server.waitForLog(/told to leave: SIGINT/)
    pool.server.signal('SIGINT')
    expect(await pool.server.exited).toEqual({ code: 0, signal: null })
    await gone(workers)
  })

  test('SIGTTIN and SIGTTOU add and remove a worker', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    pool.server.signal('SIGTTIN')
    await until('two workers', () => pool.workerPids().length === 2)
    await until('the second is ready', () => pool.server.lines.filter((line) => line.includes('is ready')).length === 2)
    pool.server.signal('SIGTTOU')
    await until('one worker', () => pool.workerPids().length === 1)
  })

  test('SIGUSR2 ends nothing', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    pool.server.signal('SIGUSR2')
    // Taken in after it, if at all.
    pool.server.signal('SIGUSR1')
    await pool.server.waitForLog(/SIGUSR1: reopen-logs/)
    expect(await pool.ask()).toMatchObject({ slot: 1 })
  })

  test('SIGUSR1 is no debugger: the master goes on', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    pool.server.signal('SIGUSR1')
    await pool.server.waitForLog(/SIGUSR1: reopen-logs/)
    expect(await pool.ask()).toMatchObject({ slot: 1 })
    expect(pool.server.lines.join('\n')).not.toContain('Debugger')
  })
})
