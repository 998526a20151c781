import { expect, test } from 'vitest'
import { asError, causes, describe, errorCode, TsgiError } from '../src/errors.ts'

const refuse = (): never => {
  throw new Error('not to be asked')
}
const REFUSING = new Proxy({}, { get: () => refuse })

test('what refuses to be looked at is described, and wrapped, all the same', () => {
  const proxies = [new Proxy(new Error('hidden'), REFUSING), new Proxy(() => undefined, REFUSING)] as const
  expect(proxies.map(describe)).toEqual(['an object that cannot be looked at', 'a function that cannot be looked at'])
  for (const proxy of proxies) {
    expect(asError(proxy).message).toBe(`a value that is no Error was thrown: ${describe(proxy)}`)
    expect(proxy instanceof TsgiError).toBe(false)
    expect(errorCode(proxy)).toBeUndefined()
    expect(causes(proxy)[0]).toBeInstanceOf(Error)
  }
})

test('an error is itself where it can be read, and what can be read of it elsewhere', () => {
  const sound = Object.freeze(new RangeError('sound'))
  expect(asError(sound)).toBe(sound)
  const cause = new Error('cause')
  const broken = Object.defineProperty(new Error('broken', { cause }), 'stack', { get: refuse })
  expect(asError(broken)).toMatchObject({ name: 'Error', message: 'broken', stack: 'Error: broken', cause })
  const unnamed = Object.defineProperty(new Error('unnamed'), 'cause', { get: refuse })
  expect(causes(unnamed)).toEqual([unnamed])
})

test('what an application writes into an error of tsgi changes nothing in what it ends in', () => {
  const error = new TsgiError('TSGI_INPUT_TRUNCATED', 'cut')
  Object.assign(error, { code: 'MINE' })
  expect(error instanceof TsgiError).toBe(true)
  expect([error.kind, error.status, error.exitCode]).toEqual(['client', '400 Bad Request', 1])
})
