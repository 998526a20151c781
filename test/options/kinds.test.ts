import { describe, expect, test } from 'vitest'
import {
  account,
  byteSize,
  choice,
  cidr,
  count,
  duration,
  flag,
  type Kind,
  list,
  nameValue,
  octalMode,
  readValue,
  text,
  urlPrefix,
  variables,
  workerCount,
} from '../../src/options/kinds.ts'

function accepted<Out, In>(kind: Kind<Out, In>, raw: unknown): Out {
  const result = readValue(kind, raw)
  if (!result.ok) throw new Error(result.problems.join('; '))
  return result.value
}

function refused<Out, In>(kind: Kind<Out, In>, raw: unknown): string {
  const result = readValue(kind, raw)
  if (result.ok) throw new Error(`accepted as ${JSON.stringify(result.value)}`)
  return result.problems.join('; ')
}

describe('a duration', () => {
  test.each([
    ['30', 30_000],
    [30, 30_000],
    ['1.5', 1500],
    [0.25, 250],
    ['500ms', 500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    [' 45 S ', 45_000],
    ['0', 0],
  ])('%j is %i ms', (raw, ms) => expect(accepted(duration, raw)).toBe(ms))

  test('what is not zero does not become zero, which means never', () => {
    expect(accepted(duration, '0.1ms')).toBe(1)
  })

  test('a time that a timer of Node cannot wait is refused', () => {
    expect(refused(duration, '25d')).toContain('24 days')
  })

  test.each(['', 'soon', '-1', '1w', '1e3', 'Infinity', null, true, Number.NaN])('%j is none', (raw) => {
    expect(refused(duration, raw)).toContain('expected a duration')
  })
})

describe('a size', () => {
  test.each([
    ['0', 0],
    ['65536', 65_536],
    [1048576, 1_048_576],
    ['64k', 65_536],
    ['100m', 104_857_600],
    ['1.5G', 1_610_612_736],
    ['64KiB', 65_536],
    ['8mb', 8_388_608],
  ])('%j is %i bytes', (raw, bytes) => expect(accepted(byteSize, raw)).toBe(bytes))

  test.each(['', 'k', '-1', '1x', '9999999t'])('%j is none', (raw) => {
    expect(refused(byteSize, raw)).toContain('expected a size')
  })
})

test('a count keeps to its bounds', () => {
  expect(accepted(count(1, 10), '10')).toBe(10)
  expect(accepted(count(0), 0)).toBe(0)
  expect(refused(count(1, 10), '11')).toBe('expected a whole number, from 1 to 10, not "11"')
  expect(refused(count(1), '0')).toContain('1 or more')
  expect(refused(count(1), '1.5')).toContain('whole number')
  expect(refused(count(1), '')).toContain('whole number')
})

test('auto is as many workers as CPUs, at least one', () => {
  expect(accepted(workerCount, 'auto')).toBeGreaterThanOrEqual(1)
  expect(accepted(workerCount, 3)).toBe(3)
  expect(refused(workerCount, '0')).toContain('auto, or a whole number')
})

test('a mode is octal as text and itself as a number', () => {
  for (const raw of ['0660', '660', '0o660', 0o660]) expect(accepted(octalMode, raw)).toBe(0o660)
  expect(accepted(octalMode, '0')).toBe(0)
  expect(refused(octalMode, '0888')).toContain('octal')
  // The number 660 in a file is what somebody wrote who meant 0o660.
  expect(refused(octalMode, 660)).toContain('0o660')
})

test('a network is an address with or without a prefix length that fits', () => {
  for (const raw of ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1/128']) expect(accepted(cidr, raw)).toBe(raw)
  expect(refused(cidr, '10.0.0.0/33')).toContain('from 0 to 32')
  expect(refused(cidr, '10.0.0/8')).toContain('expected a network')
  expect(refused(cidr, '::1/1/1')).toContain('expected a network')
})

test('a choice that was mistyped names the one that was meant', () => {
  const level = choice(['debug', 'info', 'warn'])
  expect(accepted(level, 'info')).toBe('info')
  expect(refused(level, 'inof')).toContain('did you mean info?')
  expect(refused(level, 'everything')).toContain('one of debug, info, warn')
  expect(refused(level, 3)).toContain('one of debug, info, warn')
})

test('a flag is true or false in the words that people use', () => {
  for (const raw of [true, 'true', '1', 'yes', 'ON']) expect(accepted(flag, raw)).toBe(true)
  for (const raw of [false, 'false', '0', 'no', 'off']) expect(accepted(flag, raw)).toBe(false)
  for (const raw of ['maybe', 'constructor', '__proto__']) expect(refused(flag, raw)).toContain('true or false')
})

test('text is not empty', () => {
  expect(accepted(text, 'a')).toBe('a')
  expect(refused(text, ' ')).toContain('not empty')
  expect(refused(text, 'a\0b')).toContain('expected')
})

test('a user is a name or a number', () => {
  expect(accepted(account('USER'), 33)).toBe('33')
  expect(accepted(account('USER'), 'www-data')).toBe('www-data')
  expect(refused(account('USER'), 'a b')).toContain('a user by name or number')
})

test('a path prefix begins with a slash and ends without', () => {
  expect(accepted(urlPrefix, '/shop/v1')).toBe('/shop/v1')
  for (const raw of ['/', 'shop', '/shop/', '/a//b', '/a?b']) expect(refused(urlPrefix, raw)).toContain('/shop')
})

test('a variable has a name and a value, which may be empty and may hold "="', () => {
  expect(accepted(nameValue, 'A=b=c')).toBe('A=b=c')
  expect(accepted(nameValue, 'A=')).toBe('A=')
  expect(refused(nameValue, '1A=b')).toContain('NAME=VALUE')
  expect(refused(nameValue, 'A')).toContain('NAME=VALUE')
})

test('variables are an array, one alone, or an object', () => {
  expect(accepted(variables(), { A: 'b', C: 'd' })).toEqual(['A=b', 'C=d'])
  expect(accepted(variables(), ['A=b'])).toEqual(['A=b'])
  expect(accepted(variables(), 'A=b')).toEqual(['A=b'])
  expect(refused(variables(), { 'A B': 'c' })).toContain('NAME=VALUE')
  expect(refused(variables(), null)).toContain('expected')
})

test('variables of an object are text, numbers and booleans; one that is undefined is none', () => {
  expect(accepted(variables(), { A: undefined, B: 1, C: true, D: '' })).toEqual(['B=1', 'C=true', 'D='])
  expect(accepted(variables(), { A: undefined })).toEqual([])
  const wrong = refused(variables(), { A: null, B: { c: 1 }, C: ['d'], E: 'f' })
  expect(wrong.split('; ')).toEqual([
    'A: expected a string, a number or a boolean, not null',
    'B: expected a string, a number or a boolean, not an object',
    'C: expected a string, a number or a boolean, not an array of 1',
  ])
})

test('a list reports each of its members that is wrong', () => {
  const counts = list(count(1))
  expect(accepted(counts, ['1', 2])).toEqual([1, 2])
  expect(accepted(counts, '1')).toEqual([1])
  expect(refused(counts, ['0', '1', 'x']).split('; ')).toHaveLength(2)
})

test('values are shown as one would write them, and secrets are not shown', () => {
  expect(duration.format?.(90_000)).toBe('90s')
  expect(duration.format?.(120_000)).toBe('2m')
  expect(duration.format?.(0)).toBe('0')
  expect(byteSize.format?.(104_857_600)).toBe('100m')
  expect(byteSize.format?.(1000)).toBe('1000')
  expect(octalMode.format?.(0o660)).toBe('0660')
  expect(variables().format?.(['TOKEN=secret'])).toBe('TOKEN=...')
})
