import { expect, test } from 'vitest'
import { silenceAfter } from '../../src/worker/hang-trace.ts'

test('of a sleep that the whole process slept longer than it was meant to, what was meant counts', () => {
  expect(silenceAfter(500, 250, 250)).toBe(750)
  expect(silenceAfter(500, 3_600_000, 250)).toBe(750)
  expect(silenceAfter(500, 10, 250)).toBe(510)
})
