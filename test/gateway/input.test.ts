/** `tsgi.input`: vectors after mod_wsgi's tests/wsgi and unit's test_python_application, and what the gateway relies on. */

import { createHash } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { TsgiError } from '../../src/errors.ts'
import { RequestInput } from '../../src/gateway/input.ts'
import { bytes } from '../support/bytes.ts'

const textOf = (chunk: Uint8Array): string => Buffer.from(chunk).toString('latin1')
const truncated = (): TsgiError => new TsgiError('TSGI_INPUT_TRUNCATED', 'the peer left')

/** Whole, in single bytes, and in threes: no answer may depend on how the body was cut. */
const CUTS = [1, 3, Number.POSITIVE_INFINITY] as const

/** A finished input, its bytes fed from memory that is overwritten afterwards. */
function inputOf(body: string, pieceBytes: number = Number.POSITIVE_INFINITY): RequestInput {
  const input = new RequestInput(0)
  feed(input, body, pieceBytes)
  input.end()
  return input
}

function feed(input: RequestInput, body: string, pieceBytes: number = Number.POSITIVE_INFINITY): void {
  const shared = Buffer.alloc(Math.max(1, Math.min(pieceBytes, body.length)))
  for (let at = 0; at < body.length; at += shared.length) {
    const piece = bytes(body.slice(at, at + shared.length))
    piece.copy(shared)
    input.push(shared.subarray(0, piece.length))
    shared.fill(0xee)
  }
}

test.each(CUTS)('T82 read() gives all, nothing for no body, and keeps newlines (pieces of %d)', async (cut) => {
  expect(textOf(await inputOf('a\nb\r\n\nc', cut).read())).toBe('a\nb\r\n\nc')
  expect(textOf(await inputOf('', cut).read())).toBe('')
})

test.each(CUTS)('T83 sized reads give exactly what was asked for, less only at the end (pieces of %d)', async (cut) => {
  const first = inputOf('0123456789abcdef', cut)
  expect(textOf(await first.read(10))).toBe('0123456789')
  expect(textOf(await first.read())).toBe('abcdef')

  const body = 'The quick brown fox jumps over the dog'
  const second = inputOf(body, cut)
  const chunks: string[] = []
  for (let chunk = await second.read(7); chunk.length > 0; chunk = await second.read(7)) chunks.push(textOf(chunk))
  expect(body).toHaveLength(38)
  expect(chunks).toEqual(['The qui', 'ck brow', 'n fox j', 'umps ov', 'er the ', 'dog'])

  expect(textOf(await inputOf('0123456789', cut).read(15))).toBe('0123456789')
})

test.each(CUTS)('T84 read(0) consumes nothing, and the end stays the end (pieces of %d)', async (cut) => {
  const input = inputOf('abc', cut)
  expect(textOf(await input.read(0))).toBe('')
  expect(textOf(await input.read())).toBe('abc')
  for (const again of [await input.read(), await input.read(5), await input.read(0), await input.readline()]) {
    expect(again).toHaveLength(0)
  }
  expect(await input.readlines()).toEqual([])
})

test('T84 read(0) is answered before any byte has come', async () => {
  expect(textOf(await new RequestInput(0).read(0))).toBe('')
})

test.each(CUTS)('T85 readline and readlines (pieces of %d)', async (cut) => {
  const lines = inputOf('one\ntwo\n\nfour', cut)
  const read: string[] = []
  for (let line = await lines.readline(); line.length > 0; line = await lines.readline()) read.push(textOf(line))
  expect(read).toEqual(['one\n', 'two\n', '\n', 'four'])

  const sized = inputOf('abcdefgh\nij\n', cut)
  expect(textOf(await sized.readline(5))).toBe('abcde')
  expect(textOf(await sized.readline(5))).toBe('fgh\n')
  expect(textOf(await sized.readline(0))).toBe('')
  expect(textOf(await sized.readline(3))).toBe('ij\n')

  expect((await inputOf('a\nb\nc', cut).readlines()).map(textOf)).toEqual(['a\n', 'b\n', 'c'])
  const hinted = inputOf('one\ntwo\nthree\n', cut)
  expect((await hinted.readlines(1)).map(textOf)).toEqual(['one\n'])
  expect((await hinted.readlines(5)).map(textOf)).toEqual(['two\n', 'three\n'])
})

test('T85 readline and iteration share one position', async () => {
  const input = inputOf('head\nbody', 3)
  expect(textOf(await input.readline())).toBe('head\n')
  let rest = ''
  for await (const chunk of input) rest += textOf(chunk)
  expect(rest).toBe('body')
})

test('T86 iteration gives every byte once, as it arrives', async () => {
  const input = new RequestInput(0)
  const sum = createHash('sha256')
  const expected = createHash('sha256')
  const reading = (async () => {
    let total = 0
    for await (const chunk of input) {
      sum.update(chunk)
      total += chunk.length
    }
    return total
  })()
  const shared = Buffer.alloc(8192)
  for (let index = 0; index < 1024; index += 1) {
    shared.fill(index % 251)
    expected.update(shared)
    input.push(shared)
    if (index % 100 === 0) await Promise.resolve()
  }
  input.end()
  expect(await reading).toBe(8 * 1024 * 1024)
  expect(sum.digest('hex')).toBe(expected.digest('hex'))
})

test('T87 overlapping reads are answered in the order in which they were made', async () => {
  const input = new RequestInput(0)
  const answered: string[] = []
  const reads = [input.read(5), input.readline(), input.read(0), input.read(3)].map(async (reading, index) => {
    answered.push(`${index}: ${textOf(await reading)}`)
  })
  feed(input, '0123456789\nxyz', 1)
  input.end()
  await Promise.all(reads)
  expect(answered).toEqual(['0: 01234', '1: 56789\n', '2: ', '3: xyz'])
})

test('T88 a body that breaks off rejects, and is never an end', async () => {
  const input = new RequestInput(0)
  const whole = input.read()
  feed(input, 'half')
  input.fail(truncated())
  await expect(whole).rejects.toMatchObject({ code: 'TSGI_INPUT_TRUNCATED', name: 'InputTruncated' })
  expect(textOf(await input.read(4)), 'what had come can still be read').toBe('half')
  await expect(input.read(1)).rejects.toMatchObject({ code: 'TSGI_INPUT_TRUNCATED' })
  await expect(input.readline()).rejects.toMatchObject({ code: 'TSGI_INPUT_TRUNCATED' })
  await expect(input.readlines()).rejects.toMatchObject({ code: 'TSGI_INPUT_TRUNCATED' })
  await expect(input[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'TSGI_INPUT_TRUNCATED' })
})

test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('a size of %d is a RangeError', (size) => {
  const input = inputOf('abc')
  for (const call of [() => input.read(size), () => input.readline(size), () => input.readlines(size)]) {
    expect(call).toThrow(RangeError)
  }
})

test('what was pushed is copied, also where it came as a Buffer', async () => {
  const input = new RequestInput(0)
  const shared = bytes('the first request')
  input.push(shared)
  shared.fill(0x58)
  input.end()
  expect(textOf(await input.read())).toBe('the first request')
})

test('an array that was returned is the caller’s: changing it changes nothing that is read later', async () => {
  const input = inputOf('abcdef')
  const first = await input.read(3)
  first.fill(0x58)
  expect(first.buffer.byteLength, 'memory of its own').toBe(3)
  expect(textOf(await input.read())).toBe('def')
})

test('a body that passes the limit rejects as too large', async () => {
  const input = new RequestInput(10)
  feed(input, '0123456789')
  feed(input, 'x')
  await expect(input.read()).rejects.toMatchObject({ code: 'TSGI_INPUT_TOO_LARGE', name: 'BodyTooLarge' })
})

test('the sender is held back while nobody reads, and let go again', async () => {
  const flow: boolean[] = []
  const input = new RequestInput(0, { flow: (wanted) => flow.push(wanted) })
  feed(input, 'x'.repeat(65_535))
  expect(flow).toEqual([])
  feed(input, 'x')
  expect(flow).toEqual([false])
  await input.read(1)
  expect(flow).toEqual([false, true])
  const rest = input.read(200_000)
  feed(input, 'x'.repeat(100_000))
  expect(flow, 'a read that waits for more keeps it flowing').toEqual([false, true])
  input.end()
  expect(await rest).toHaveLength(165_535)
})

test('what is not read when the response is over is let go, and no longer held back', async () => {
  const flow: boolean[] = []
  const input = new RequestInput(0, { flow: (wanted) => flow.push(wanted) })
  feed(input, 'x'.repeat(70_000))
  input.discard()
  expect(flow).toEqual([false, true])
  await expect(input.read(1)).rejects.toMatchObject({ code: 'TSGI_APP_ENDED' })
})

test('a body that is whole when the response is over can still be read', async () => {
  const input = inputOf('first second', 6)
  input.responseOver(false)
  expect(Buffer.from(await input.read()).toString()).toBe('first second')
})

test('of a body that comes after the response, who reads gets all of it', async () => {
  const input = new RequestInput(0)
  const whole = input.read()
  feed(input, 'x'.repeat(70_000))
  input.responseOver(true)
  feed(input, 'y'.repeat(70_000))
  input.end()
  expect(await whole).toHaveLength(140_000)
})

test('of a body that comes after the response, no more is held for who does not read than before, and nobody waits', async () => {
  const flow: boolean[] = []
  const input = new RequestInput(0, { flow: (wanted) => flow.push(wanted) })
  input.responseOver(true)
  feed(input, 'x'.repeat(60_000))
  expect(await input.read(10)).toHaveLength(10)
  feed(input, 'y'.repeat(10_000))
  await expect(input.read(1)).rejects.toMatchObject({ code: 'TSGI_APP_ENDED' })
  expect(flow).toEqual([])
})

test('who still reads when the response is over does not take that for the end of the body', async () => {
  const input = inputOf('first second', 6)
  const chunks = input[Symbol.asyncIterator]()
  await chunks.next()
  input.discard()
  await expect(chunks.next()).rejects.toMatchObject({ code: 'TSGI_APP_ENDED' })

  const read = inputOf('all')
  await read.read()
  read.discard()
  expect(await read.read()).toHaveLength(0)
})

test('a line that comes in many pieces is searched once', async () => {
  const searches = vi.spyOn(Uint8Array.prototype, 'indexOf')
  try {
    const input = new RequestInput(0)
    const line = input.readline()
    for (let left = 1000; left > 0; left -= 1) feed(input, 'x')
    input.end()
    expect(await line).toHaveLength(1000)
    expect(searches.mock.calls.length).toBeLessThan(2000)
  } finally {
    searches.mockRestore()
  }
})
