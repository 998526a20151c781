import { expect, test } from 'vitest'
import { compare, listed, type Outcomes, type Suite } from './suite.ts'

const outcomes = (passed: Readonly<Record<string, boolean>>): Outcomes =>
  new Map(Object.entries(passed).map(([id, value]) => [id, { passed: value, error: value ? undefined : 'wrong' }]))

test('what fails on both sides is no difference', () => {
  expect(compare(outcomes({ a: true, b: false }), outcomes({ a: true, b: false }), new Set())).toEqual([])
})

test('what passes on node:http and fails on tsgi is one, and so is what did not run', () => {
  expect(compare(outcomes({ a: true, b: true }), outcomes({ a: false }), new Set())).toEqual([
    'fails on tsgi only: a\n    wrong',
    'fails on tsgi only: b\n    it did not run',
  ])
})

test('a listed one is expected, until it passes', () => {
  const differing = new Set(['a'])
  expect(compare(outcomes({ a: true }), outcomes({ a: false }), differing)).toEqual([])
  expect(compare(outcomes({ a: true }), outcomes({ a: true }), differing)).toEqual(['listed, but passes on tsgi: a'])
  expect(compare(outcomes({ a: false }), outcomes({ a: false }), differing)).toEqual([
    'listed, but does not pass on node:http: a',
  ])
})

test('a difference may be one of a single protocol', () => {
  const suite: Suite = {
    name: 'a suite',
    source: { kind: 'npm', package: 'a', version: '1' },
    runner: { kind: 'node:test' },
    without: /^$/,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [
      { why: 'always', tests: ['a'] },
      { why: 'sometimes', tests: ['b'], over: 'uwsgi' },
    ],
  }
  expect([...listed(suite, 'fastcgi')]).toEqual(['a'])
  expect([...listed(suite, 'uwsgi')]).toEqual(['a', 'b'])
})
