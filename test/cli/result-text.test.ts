import { expect, test } from 'vitest'
import { durationText, resultText } from '../../src/cli/result-text.ts'

test('an answer is its values, then its rows', () => {
  const text = resultText({
    pid: 7,
    uptimeMs: 90_000,
    workers: [
      { slot: 1, rssBytes: 52_428_800, eventLoopUtilization: 0.254, retire: undefined },
      { slot: 2, rssBytes: 1_048_576, eventLoopUtilization: 0, retire: null },
    ],
    listeners: [],
  })
  expect(text).toBe(
    [
      'pid     7',
      'uptime  1m 30s',
      '',
      'workers',
      'slot  memory  busy',
      '1     50 MB   25 %',
      '2     1 MB    0 %',
      '',
      'listeners',
      'none',
    ].join('\n'),
  )
})

test('the workers fit a terminal of 80 columns, and a worker that is silent or busy for long is seen', () => {
  const worker = {
    slot: 64,
    pid: 4_194_304,
    generation: 12,
    phase: 'draining',
    ageMs: 273_600_000,
    silentMs: 900,
    connections: 100,
    requestsInFlight: 100,
    requestsTotal: 12_345_678,
    oldestRequestMs: 0,
    rssBytes: 1_073_741_824,
    eventLoopUtilization: 1,
  }
  const widest = (rows: readonly object[]) =>
    Math.max(
      ...resultText({ workers: rows })
        .split('\n')
        .map((line) => line.length),
    )
  expect(widest([worker])).toBeLessThanOrEqual(80)
  const late = resultText({ workers: [worker, { ...worker, silentMs: 31_000, oldestRequestMs: 31_500 }] })
  expect(late).toMatch(/silent .*oldest/)
  expect(late).toMatch(/ 31s .* 31s /)
})

test.each([
  [0, '0ms'],
  [80, '80ms'],
  [12_000, '12s'],
  [61_500, '1m 1s'],
  [3_600_000, '1h'],
  [273_600_000, '3d 4h'],
])('%i ms is %s', (ms, text) => expect(durationText(ms)).toBe(text))
