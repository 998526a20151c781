import { expect, test } from 'vitest'
import { ByteQueue } from '../../src/protocol/byte-queue.ts'
import { bytes } from '../support/bytes.ts'

test('a read inside one chunk is a view of it, not a copy', () => {
  const queue = new ByteQueue()
  const chunk = bytes('abcdef')
  queue.push(chunk)
  const view = queue.take(4)
  chunk[0] = 0x58
  expect(view.toString('latin1')).toBe('Xbcd')
  expect(queue.length).toBe(2)
})

test('a read that spans chunks is joined', () => {
  const queue = new ByteQueue()
  for (const piece of ['ab', 'c', '', 'defg']) queue.push(bytes(piece))
  expect(queue.length).toBe(7)
  expect(queue.take(5).toString('latin1')).toBe('abcde')
  expect(queue.take(2).toString('latin1')).toBe('fg')
  expect(queue.length).toBe(0)
})

test('a span says where the bytes stand, in the chunk itself or joined', () => {
  const queue = new ByteQueue()
  const chunk = bytes('abcdef')
  queue.push(chunk)
  queue.skip(2)
  expect(queue.takeSpan(3)).toBe(chunk)
  expect(queue.spanStart).toBe(2)
  queue.push(bytes('gh'))
  const joined = queue.takeSpan(2)
  expect(joined.toString('latin1', queue.spanStart, queue.spanStart + 2)).toBe('fg')
  expect(queue.length).toBe(1)
  expect(() => queue.takeSpan(2)).toThrow(RangeError)
})

test('after detach the memory of what was pushed may be reused', () => {
  const queue = new ByteQueue()
  const chunk = bytes('abc')
  queue.push(chunk)
  queue.skip(1)
  queue.detach()
  chunk.fill(0)
  queue.push(bytes('d'))
  expect(queue.take(3).toString('latin1')).toBe('bcd')
})

test('a view that was handed out survives what is kept after it', () => {
  const queue = new ByteQueue()
  queue.push(bytes('ab'))
  queue.detach()
  queue.push(bytes('cde'))
  const view = queue.take(3)
  queue.detach()
  queue.push(bytes('f'))
  queue.detach()
  expect(view.toString('latin1')).toBe('abc')
  expect(queue.take(3).toString('latin1')).toBe('def')
})

test('any byte can be looked at without being taken', () => {
  const queue = new ByteQueue()
  queue.push(bytes('ab'))
  queue.push(bytes('cd'))
  expect([0, 1, 2, 3].map((index) => String.fromCharCode(queue.at(index))).join('')).toBe('abcd')
  expect(queue.indexOf(0x63, 4)).toBe(2)
  expect(queue.indexOf(0x63, 2)).toBe(-1)
  expect(queue.indexOf(0x61, 1)).toBe(0)
  expect(queue.length).toBe(4)
})

test('reading beyond what waits is an error, not a short read', () => {
  const queue = new ByteQueue()
  queue.push(bytes('ab'))
  queue.push(bytes('c'))
  expect(() => queue.at(3)).toThrow(RangeError)
  expect(() => queue.take(4)).toThrow(RangeError)
  expect(() => queue.skip(4)).toThrow(RangeError)
  expect(queue.take(3).toString('latin1')).toBe('abc')
})

test('one byte at a time costs linear time', () => {
  const queue = new ByteQueue()
  const size = 1 << 20
  const piece = bytes('x')
  const startedAt = performance.now()
  for (let index = 0; index < size; index += 1) {
    queue.push(piece)
    queue.detach()
  }
  expect(queue.take(size).length).toBe(size)
  // A copy of everything per byte would be half a terabyte.
  expect(performance.now() - startedAt).toBeLessThan(5000)
})
