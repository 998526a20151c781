import { describe, expect, test } from 'vitest'
import { encodeUwsgiRequest } from '../../src/client/uwsgi.ts'
import type { DecoderLimits } from '../../src/protocol/codec.ts'
import { uwsgi } from '../../src/protocol/uwsgi.ts'
import { bytes } from '../support/bytes.ts'
import { decode, everyWay } from '../support/every-way.ts'
import { begin, end, everyWayOf } from './plain-events.ts'

const limits: DecoderLimits = { maxParamsBytes: 131_072, maxParams: 100, maxRequests: 1 }
const decoder = (changed: Partial<DecoderLimits> = {}) => uwsgi.createDecoder({ ...limits, ...changed })
const packet = (variables: string): Buffer =>
  bytes(`\0${String.fromCharCode(variables.length & 0xff, variables.length >> 8)}\0${variables}`)

const expectEveryWay = everyWayOf(decoder)

test('a packet written by hand is understood', () => {
  const input = bytes('\0\x1c\0\0\x0e\0REQUEST_METHOD\x03\0GET\x01\0A\x02\0\xe9!')
  expectEveryWay(input, [begin(['REQUEST_METHOD', 'GET', 'A', '\xe9!'], 0), end])
})

test('a POST is the same request however the network cuts it', () => {
  const params = ['REQUEST_METHOD', 'POST', 'CONTENT_LENGTH', '11', 'X', '']
  expectEveryWay(Buffer.concat(encodeUwsgiRequest({ params, body: bytes('hello world') })), [
    begin(params, 11),
    { kind: 'body', requestId: 0, text: 'hello world' },
    end,
  ])
})

test('CONTENT_LENGTH empty or absent is no body', () => {
  for (const params of [
    ['CONTENT_LENGTH', ''],
    ['A', 'b'],
  ]) {
    const variables = params.map((text) => `${String.fromCharCode(text.length)}\0${text}`).join('')
    expectEveryWay(packet(variables), [begin(params, 0), end])
  }
})

test('a block of 65535 bytes, the most there is, is read', () => {
  const params = ['CONTENT_LENGTH', '', 'A', 'x'.repeat(65_535 - 18 - 5)]
  const input = Buffer.concat(encodeUwsgiRequest({ params }))
  expect(input.readUInt16LE(1)).toBe(65_535)
  expect(decode(decoder(), [input])).toEqual([begin(params, 0), end])
  expect(() => encodeUwsgiRequest({ params: ['CONTENT_LENGTH', '', 'A', 'x'.repeat(65_535 - 22)] })).toThrow(
    '65536 bytes',
  )
})

test('a ping is answered and closed', () => {
  expectEveryWay(Buffer.from([100, 0, 0, 0]), [{ kind: 'reply', hex: '64000001', close: true }])
})

describe('a connection is given up at', () => {
  test.each<[string, Buffer, string]>([
    ['a name that runs past the end', packet('\x05\0A'), 'runs past the end'],
    ['a value that runs past the end', packet('\x01\0A\x02\0b'), 'runs past the end'],
    ['a block that ends inside the size of a name', packet('\x01'), 'ends inside the size of a name'],
    ['a block that ends inside the size of a value', packet('\x01\0A\x01'), 'ends inside the size of a value'],
    ['a block that ends before the value', packet('\x01\0A'), 'ends inside the size of a value'],
    ['a size of 65535', packet('\xff\xffA'), 'runs past the end'],
    ['a name of no bytes', packet('\0\0\x01\0A'), 'without a name'],
    ['a ping with variables', Buffer.from([100, 1, 0, 0, 65]), 'a ping carries no variables'],
  ])('%s', (_name, input, what) => {
    for (const { cut, events } of everyWay(decoder, input)) {
      expect(events, cut).toHaveLength(1)
      expect(events[0], cut).toMatchObject({
        kind: 'throws',
        code: 'TSGI_PROTOCOL_MALFORMED',
        message: expect.stringContaining(what),
      })
    }
  })

  test.each([1, 5, 9, 22, 71, 255])('modifier1 %i', (modifier1) => {
    const [head = bytes('')] = encodeUwsgiRequest({ params: ['A', 'b'] }, modifier1)
    for (const { cut, events } of everyWay(decoder, head)) {
      expect(events[0], cut).toMatchObject({ kind: 'throws', code: 'TSGI_PROTOCOL_UNSUPPORTED' })
    }
  })
})

describe('a request is refused at', () => {
  test.each(['3, 5', '-1', '+5', ' 5', '5 ', '1e3', '9007199254740992'])('CONTENT_LENGTH %j', (value) => {
    const [event, ...more] = decode(decoder(), encodeUwsgiRequest({ params: ['CONTENT_LENGTH', value] }))
    expect(event).toMatchObject({ kind: 'refuse', code: 'TSGI_PROTOCOL_BAD_REQUEST' })
    expect(more).toEqual([])
  })

  test('too many bytes, and too many variables', () => {
    const request = encodeUwsgiRequest({ params: ['A', 'b', 'C', 'd'] })
    for (const changed of [{ maxParamsBytes: 20 }, { maxParams: 2 }]) {
      const [event] = decode(decoder(changed), request)
      expect(event).toMatchObject({ kind: 'refuse', code: 'TSGI_PROTOCOL_TOO_LARGE' })
    }
  })
})

test('midRequest tells a truncation from a whole request', () => {
  const input = Buffer.concat(encodeUwsgiRequest({ params: ['A', 'b'], body: bytes('abc') }))
  for (let at = 0; at <= input.length; at += 1) {
    const one = decoder()
    decode(one, [input.subarray(0, at)])
    expect(one.midRequest, `after ${at} of ${input.length}`).toBe(at > 0 && at < input.length)
  }
})

test('being asked before anything came changes nothing', () => {
  const input = Buffer.concat(encodeUwsgiRequest({ params: ['A', 'b'] }))
  const pieces = [bytes(''), input.subarray(0, 4), input.subarray(4, 9), bytes(''), input.subarray(9)]
  expect(decode(decoder(), pieces)).toEqual(decode(decoder(), [input]))
})
