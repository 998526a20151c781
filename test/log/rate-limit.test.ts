import { expect, test } from 'vitest'
import { createRateLimit } from '../../src/log/rate-limit.ts'

test('each key is said once per interval, with the number of those that were not said', () => {
  let now = 0
  const limit = createRateLimit(1000, () => now)
  const said: string[] = []
  const say = (key: string) => limit(key, (suppressed) => said.push(`${key} +${suppressed}`))
  say('a')
  say('a')
  say('b')
  now = 999
  say('a')
  now = 1000
  say('a')
  now = 2000
  say('a')
  expect(said).toEqual(['a +0', 'b +0', 'a +2', 'a +0'])
})

test('keys made by a peer do not grow without bound, and the latest are kept', () => {
  const limit = createRateLimit(1000, () => 0)
  let said = 0
  for (let key = 0; key < 5000; key += 1) limit(`key ${key}`, () => (said += 1))
  limit('key 4999', () => (said += 1))
  expect(said).toBe(5000)
  limit('key 0', () => (said += 1))
  expect(said).toBe(5001)
})
