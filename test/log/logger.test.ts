import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { asError, TsgiError } from '../../src/errors.ts'
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

  describe('whatever was thrown', () => {
    const refuse = (): never => {
      throw new Error('not to be read')
    }
    const refusing = new Proxy(new Error('hidden'), new Proxy({}, { get: () => refuse }))
    const odd = (name: string, property: PropertyDescriptor): Error =>
      Object.defineProperty(new Error('odd'), name, { ...property, enumerable: true })
    const revocable = Proxy.revocable(new Error('hidden'), {})
    revocable.revoke()

    const THROWN: readonly (readonly [what: string, thrown: unknown, fields: object])[] = [
      ['an accessor that throws', odd('details', { get: refuse }), { message: 'odd', details: '[unreadable]' }],
      ['a message that throws', odd('message', { get: refuse }), { message: 'an error whose message cannot be read' }],
      ['a message that is none', odd('message', { value: { code: 1 } }), { message: 'an object' }],
      ['a symbol as the message', odd('message', { value: Symbol('m') }), { message: 'Symbol(m)' }],
      ['a name that throws', odd('name', { get: refuse }), { type: 'Error', message: 'odd' }],
      ['a class that throws', odd('constructor', { get: refuse }), { type: 'Error', message: 'odd' }],
      ['a stack that throws', odd('stack', { get: refuse }), { message: 'odd', stack: 'Error: odd' }],
      ['a stack that is none', odd('stack', { value: { at: 1 } }), { message: 'odd', stack: 'Error: odd' }],
      ['a cause that throws', odd('cause', { get: refuse }), { message: 'odd', cause: '[unreadable]' }],
      ['a cause by a method that throws', odd('cause', { value: refuse }), { message: 'odd' }],
      ['a cause that resists', odd('cause', { value: refusing }), { message: 'odd' }],
      ['errors that resist', odd('errors', { value: [refusing] }), { aggregateErrors: [expect.any(Object)] }],
      ['a toJSON that throws', odd('at', { value: new Date(Number.NaN) }), { message: 'odd', at: null }],
      ['a BigInt', odd('id', { value: 12n }), { message: 'odd', id: '12' }],
      ['a Proxy that refuses everything', refusing, { message: expect.stringMatching(/cannot be looked at$/) }],
      ['a Proxy that was revoked', revocable.proxy, { message: expect.stringMatching(/cannot be looked at$/) }],
      ['a Proxy within', odd('inner', { value: { refusing } }), { inner: { refusing: { '[unreadable]': true } } }],
      ['a frozen error', Object.freeze(new RangeError('cold')), { type: 'RangeError', message: 'cold' }],
      ['__proto__ as a name', odd('a', { value: JSON.parse('{"__proto__":{"b":1}}') }), { message: 'odd' }],
    ]

    test.each(THROWN)('%s is logged, as far as it can be read', (_what, thrown, fields) => {
      const log = createLog({ level: 'info', format: 'json', file, name: 'tsgi' })
      log.error({ err: asError(thrown) }, 'failed')
      log.error({ err: thrown }, 'failed')
      const line = { msg: 'failed', err: { stack: expect.any(String), ...fields } }
      expect(lines()).toMatchObject([line, line])
      createLog({ level: 'info', format: 'pretty', file, name: 'tsgi' }).error({ err: thrown }, 'readable')
      expect(readFileSync(file, 'utf8')).toContain('readable')
    })

    test('what hangs on it is there: codes, errors within, and what caused it', () => {
      const log = createLog({ level: 'info', format: 'json', file, name: 'tsgi' })
      const inner = Object.assign(new TypeError('inner'), { code: 'EINNER' })
      const fields = { code: 'EOUTER', at: new Date(0), tried: [1, 'two', null], inner, none: undefined, f: () => 1 }
      log.error({ err: Object.assign(new Error('outer', { cause: inner }), fields) }, 'failed')
      log.error({ err: new AggregateError([inner, 'two'], 'several') }, 'failed')
      const told = { type: 'TypeError', message: 'inner', code: 'EINNER', stack: expect.stringContaining('TypeError') }
      expect(lines()).toMatchObject([
        {
          err: {
            ...{ type: 'Error', message: 'outer: inner', code: 'EOUTER', at: '1970-01-01T00:00:00.000Z' },
            ...{ tried: [1, 'two', null], inner: told },
            stack: expect.stringMatching(/^Error: outer\n[\s\S]*\ncaused by: TypeError: inner\n/),
          },
        },
        { err: { type: 'AggregateError', message: 'several', aggregateErrors: [told, 'two'] } },
      ])
      expect(lines()[0]).not.toHaveProperty('err.cause')
    })

    test('a circle ends, and what is huge is cut', () => {
      const log = createLog({ level: 'info', format: 'json', file, name: 'tsgi' })
      const circle = new Error('circle')
      const other = new Error('other', { cause: circle })
      Object.assign(circle, { cause: other, self: circle, all: [circle, { other }] })
      log.error({ err: circle }, 'failed')
      let deep: object = {}
      for (let depth = 0; depth < 100_000; depth += 1) deep = { deep }
      let chain = new Error('first')
      for (let depth = 0; depth < 100_000; depth += 1) chain = new Error('next', { cause: chain })
      const wide = Array.from({ length: 1_000_000 }, (_, index) => ({ index }))
      const text = 'x'.repeat(50_000_000)
      const bytes = Buffer.alloc(50_000_000)
      log.error({ err: Object.assign(chain, { bytes, deep, text, wide }) }, 'failed')
      log.error({ err: new Error(text) }, 'failed')
      expect(lines()).toMatchObject([
        {
          err: {
            message: 'circle: other',
            self: '[Circular]',
            all: ['[Circular]', { other: { message: 'other: circle' } }],
          },
        },
        { err: { message: expect.stringMatching(/^(?:next: ){10}next$/), bytes: '[50000000 bytes]' } },
        { err: { message: expect.stringMatching(/^x+…$/) } },
      ])
      expect(readFileSync(file).length).toBeLessThan(2_000_000)
    })
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
