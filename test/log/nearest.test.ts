import { expect, test } from 'vitest'
import { nearest } from '../../src/nearest.ts'

test.each([
  ['wrokers', 'workers'],
  ['worker', 'workers'],
  ['FASTCGI', 'fastcgi'],
  ['maxbody', 'maxBody'],
  ['zzz', undefined],
  ['', undefined],
])('%s is nearest to %s', (name, expected) => {
  expect(nearest(name, ['workers', 'fastcgi', 'maxBody', 'x'])).toBe(expected)
})
