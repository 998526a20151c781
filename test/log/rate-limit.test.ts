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

test('of keys made by a peer a hundred are said in an interval, and the next one says how many were not', () => {
  let now = 0
  const limit = createRateLimit(1000, () => now)
  const said: number[] = []
  for (let key = 0; key < 5000; key += 1) limit(`key ${key}`, (suppressed) => said.push(suppressed))
  expect(said).toEqual(Array.from({ length: 100 }, () => 0))
  now = 1000
  limit('key 5000', (suppressed) => said.push(suppressed))
  limit('key 5001', (suppressed) => said.push(suppressed))
  expect(said.slice(100)).toEqual([4900, 0])
})

test('keys made by a peer do not grow without bound, and the latest are kept', () => {
  let now = 0
  const limit = createRateLimit(1000, () => now)
  let said = 0
  const say = () => {
    said += 1
  }
  for (let key = 0; key < 5000; key += 1) {
    if (key % 100 === 0) now += 1000
    limit(`key ${key}`, say)
  }
  limit('key 4999', say)
  expect(said).toBe(5000)
  now += 1000
  limit('key 0', say)
  expect(said).toBe(5001)
})
