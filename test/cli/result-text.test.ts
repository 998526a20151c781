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
      'slot  memory   busy',
      '1     50.0 MB  25 %',
      '2     1.0 MB   0 %',
      '',
      'listeners',
      'none',
    ].join('\n'),
  )
})

test.each([
  [0, '0ms'],
  [80, '80ms'],
  [12_000, '12s'],
  [61_500, '1m 1s'],
  [3_600_000, '1h'],
  [273_600_000, '3d 4h'],
])('%i ms is %s', (ms, text) => expect(durationText(ms)).toBe(text))
