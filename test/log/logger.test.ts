import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TsgiError } from '../../src/errors.ts'
import { onLogFault } from '../../src/log/faults.ts'
import { createLog } from '../../src/log/logger.ts'

describe('the process log', () => {
  let directory: string
  let file: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsgi-log-'))
    file = join(directory, 'tsgi.log')
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const lines = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line))

  test('a file gets JSON that names the process, the level and the time, written before the call returns', () => {
    createLog({ level: 'info', format: 'auto', file, name: 'tsgi worker 1' }).warn({ slot: 1 }, 'late')
    expect(lines()).toEqual([
      expect.objectContaining({ level: 'warn', name: 'tsgi worker 1', pid: process.pid, slot: 1, msg: 'late' }),
    ])
    expect(readFileSync(file, 'utf8')).toMatch(/"time":"\d{4}-\d\d-\d\dT/)
  })

  test('readable lines are written before the call returns, too', () => {
    createLog({ level: 'info', format: 'pretty', file, name: 'tsgi' }).info({ requestId: 'a-1' }, 'ready')
    expect(readFileSync(file, 'utf8')).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO \(tsgi\): ready \{"requestId":"a-1"\}\n$/,
    )
  })

  test('readable lines say nothing twice, and what an application wrote is never at the beginning of one', () => {
    const log = createLog({ level: 'info', format: 'pretty', file, name: 'tsgi' })
    log.info({ slot: 2, generation: 1, workerPid: 7 }, 'worker 2 (pid 7) left')
    log.error('lost\n[00:00:00.000] INFO (tsgi): all is well')
    expect(readFileSync(file, 'utf8')).toMatch(
      /^\S+ INFO \(tsgi\): worker 2 \(pid 7\) left\n\S+ ERROR \(tsgi\): lost\n {4}\[00:00:00\.000\] INFO \(tsgi\): all is well\n$/,
    )
  })

  test('below the level nothing is written', () => {
    createLog({ level: 'error', format: 'json', file, name: 'tsgi' }).info('quiet')
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  test('secrets are not logged, wherever they hang', () => {
    const log = createLog({ level: 'info', format: 'json', file, name: 'tsgi' })
    const environ = { HTTP_COOKIE: 'secret-1', PATH: 'secret-2' }
    log.info(
      { environ, headers: { authorization: 'secret-3' }, request: { environ, HTTP_AUTHORIZATION: 'secret-4' } },
      'x',
    )
    log.info({ err: Object.assign(new Error('boom'), { environ }) }, 'y')
    log.child({ slot: 1 }).info({ cookie: 'secret-5' }, 'z')
    expect(readFileSync(file, 'utf8')).not.toContain('secret')
    expect(lines()).toHaveLength(3)
  })

  test('an error is logged with its code, its stack and its cause', () => {
    const log = createLog({ level: 'info', format: 'json', file, name: 'tsgi' })
    log.error({ err: new TsgiError('TSGI_LOAD', 'outer', { cause: new Error('inner') }) }, 'failed')
    expect(lines()).toEqual([expect.objectContaining({ err: expect.objectContaining({ code: 'TSGI_LOAD' }) })])
    expect(readFileSync(file, 'utf8')).toContain('inner')
  })

  test('after a rotation the new file is written', () => {
    const log = createLog({ level: 'info', format: 'json', file, name: 'tsgi' })
    log.info('before')
    renameSync(file, `${file}.1`)
    log.reopen()
    log.info('after')
    expect(readFileSync(`${file}.1`, 'utf8')).toContain('before')
    expect(readFileSync(file, 'utf8')).toContain('after')
  })

  test('a file that cannot be reopened is told of each time, and its lines go on to the one that was open', async () => {
    const folder = join(directory, 'logs')
    mkdirSync(folder)
    const log = createLog({ level: 'info', format: 'json', file: join(folder, 'x.log'), name: 'tsgi' })
    renameSync(folder, `${folder}.old`)
    const said: string[] = []
    const stop = onLogFault((message) => said.push(message))
    for (const round of [1, 2]) {
      expect(log.reopen()?.message).toMatch(/^cannot open the log file .*x\.log: ENOENT/)
      log.info(`round ${round}`)
    }
    await vi.waitFor(() => expect(said).toHaveLength(2))
    stop()
    expect(said[1]).toMatch(/^cannot open the log file .*; its lines go on to the file that was open$/)
    expect(readFileSync(join(`${folder}.old`, 'x.log'), 'utf8')).toMatch(/round 1[\s\S]*round 2/)
    mkdirSync(folder)
    expect(log.reopen()).toBeUndefined()
    log.info('here again')
    expect(readFileSync(join(folder, 'x.log'), 'utf8')).toContain('here again')
  })

  test('a file that cannot be opened is a mistake of the operator', () => {
    const options = { level: 'info', format: 'json', file: join(directory, 'none', 'x'), name: 'tsgi' } as const
    expect(() => createLog(options)).toThrow(expect.objectContaining({ code: 'TSGI_USAGE' }))
  })
})
