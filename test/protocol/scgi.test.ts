import { describe, expect, test } from 'vitest'
import { encodeScgiRequest } from '../../src/client/scgi.ts'
import type { DecoderLimits } from '../../src/protocol/codec.ts'
import { scgi } from '../../src/protocol/scgi.ts'
import { bytes } from '../support/bytes.ts'
import { decode, everyWay, type PlainEvent } from '../support/every-way.ts'
import { begin, end, everyWayOf } from './plain-events.ts'

const limits: DecoderLimits = { maxParamsBytes: 131_072, maxParams: 100, maxRequests: 1 }
const decoder = (changed: Partial<DecoderLimits> = {}) => scgi.createDecoder({ ...limits, ...changed })
const packet = (headers: string, body = ''): Buffer => bytes(`${headers.length}:${headers},${body}`)
const body = (text: string): PlainEvent => ({ kind: 'body', requestId: 0, text })
const refuse = (code: 'TSGI_PROTOCOL_BAD_REQUEST' | 'TSGI_PROTOCOL_TOO_LARGE', message: string): PlainEvent => ({
  kind: 'refuse',
  requestId: 0,
  code,
  message,
  keepConnection: false,
})

const expectEveryWay = everyWayOf(decoder)

test('the example of the specification is understood', () => {
  const headers = 'CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0'
  expect(headers.length).toBe(70)
  const question = 'What is the answer to life?'
  expectEveryWay(packet(headers, question), [
    begin(['CONTENT_LENGTH', '27', 'SCGI', '1', 'REQUEST_METHOD', 'POST', 'REQUEST_URI', '/deepthought'], 27),
    body(question),
    end,
  ])
})

test.each<[string, string[]]>([
  ['CONTENT_LENGTH last', ['SCGI', '1', 'REQUEST_METHOD', 'GET', 'CONTENT_LENGTH', '0']],
  ['SCGI last, as lighttpd sends it', ['CONTENT_LENGTH', '0', 'REQUEST_METHOD', 'GET', 'SCGI', '1']],
  ['no SCGI', ['CONTENT_LENGTH', '0', 'REQUEST_METHOD', 'GET']],
  ['no CONTENT_LENGTH', ['SCGI', '1']],
  ['an empty CONTENT_LENGTH', ['CONTENT_LENGTH', '', 'SCGI', '1']],
  ['values that are empty, and bytes above 127', ['SCGI', '1', 'X', '', 'Y', '\xff\xc3\xa9']],
  ['repeats, in order', ['SCGI', '1', 'HTTP_X', 'a', 'HTTP_X', 'b']],
])('%s is accepted', (_name, params) => {
  expectEveryWay(packet(params.map((text) => `${text}\0`).join('')), [begin(params, 0), end])
})

test('no variables at all is a request, which the gateway answers', () => {
  expectEveryWay(bytes('0:,'), [begin([], 0), end])
})

describe('a connection is given up at', () => {
  test.each<[string, string, string]>([
    ['no length', ':,', 'byte 0x3a at 0 of the netstring’s length'],
    ['HTTP', 'GET / HTTP/1.1\r\n', 'byte 0x47 at 0 of the netstring’s length'],
    ['a sign', '+5:', 'byte 0x2b at 0 of the netstring’s length'],
    ['a space in the length', '1 :', 'byte 0x20 at 1 of the netstring’s length'],
    ['a leading zero', '05:', 'the netstring’s length begins with 0'],
    ['eleven digits', '12345678901', 'a netstring’s length of more than 10 digits'],
    ['another byte than a comma', '5:A\0b\0\0.', 'byte 0x2e instead of a comma after the netstring'],
    ['a length one too small', '6:SCGI\x001\0,', 'byte 0x00 instead of a comma after the netstring'],
    ['a value without end', packet('SCGI\x001').toString('latin1'), 'the header at byte 0 of the netstring has no end'],
    [
      'a name without value',
      packet('A\0b\0SCGI\0').toString('latin1'),
      'the header at byte 4 of the netstring has no end',
    ],
    ['a name of no bytes', packet('\0x\0').toString('latin1'), 'a header without a name at byte 0 of the netstring'],
  ])('%s', (_name, input, what) => {
    const message = `SCGI: ${what.replace('’', "'")}`
    for (const { cut, events } of everyWay(decoder, bytes(input))) {
      expect(events, cut).toEqual([{ kind: 'throws', code: 'TSGI_PROTOCOL_MALFORMED', message }])
    }
  })

  test('bytes behind the body, which somebody believes to be part of it', () => {
    for (const { cut, events } of everyWay(decoder, packet('CONTENT_LENGTH\x002\0', 'abc'))) {
      expect(events, cut).toEqual([
        begin(['CONTENT_LENGTH', '2'], 2),
        body('ab'),
        end,
        {
          kind: 'throws',
          code: 'TSGI_PROTOCOL_MALFORMED',
          message: 'SCGI: 1 bytes after the 2 that CONTENT_LENGTH says',
        },
      ])
    }
  })
})

describe('a request is refused at', () => {
  test.each<[string, string[], string]>([
    ['two CONTENT_LENGTHs', ['CONTENT_LENGTH', '1', 'CONTENT_LENGTH', '1'], 'CONTENT_LENGTH was sent twice'],
    ['a CONTENT_LENGTH list', ['CONTENT_LENGTH', '3, 5'], 'CONTENT_LENGTH is no count of bytes: "3, 5"'],
    ['a negative CONTENT_LENGTH', ['CONTENT_LENGTH', '-1'], 'CONTENT_LENGTH is no count of bytes: "-1"'],
    [
      'a huge CONTENT_LENGTH',
      ['CONTENT_LENGTH', '9007199254740992'],
      'CONTENT_LENGTH is no count of bytes: "9007199254740992"',
    ],
    ['another version', ['CONTENT_LENGTH', '0', 'SCGI', '2'], 'SCGI: SCGI is "2", only 1 is defined'],
  ])('%s', (_name, params, message) => {
    const input = packet(params.map((text) => `${text}\0`).join(''), 'body')
    expectEveryWay(input, [refuse('TSGI_PROTOCOL_BAD_REQUEST', message)])
  })

  test('a netstring over the limit, from its length alone', () => {
    for (const { cut, events } of everyWay(() => decoder({ maxParamsBytes: 99 }), bytes('100:A'))) {
      expect(events, cut).toEqual([refuse('TSGI_PROTOCOL_TOO_LARGE', 'SCGI: 100 bytes of variables, allowed are 99')])
    }
    expect(decode(decoder(), [bytes('9999999999:')])).toHaveLength(1)
  })

  test('too many variables', () => {
    const events = decode(decoder({ maxParams: 2 }), [packet('A\0\0B\0\0C\0\0')])
    expect(events).toEqual([refuse('TSGI_PROTOCOL_TOO_LARGE', 'SCGI: 3 variables, allowed are 2')])
  })
})

describe('nginx before 1.29.6 with scgi_request_buffering off', () => {
  const all = (params: string[], text: string) => packet(params.map((word) => `${word}\0`).join(''), text)

  test('sends as CONTENT_LENGTH what it has read so far: the whole body is read all the same', () => {
    for (const sent of ['0', '3']) {
      const params = ['CONTENT_LENGTH', sent, 'SCGI', '1', 'HTTP_CONTENT_LENGTH', '9']
      const right = ['CONTENT_LENGTH', '9', 'SCGI', '1', 'HTTP_CONTENT_LENGTH', '9']
      expectEveryWay(all(params, 'abcdefghi'), [begin(right, 9), body('abcdefghi'), end])
    }
  })

  test.each<[string, string[]]>([
    ['less is announced by the client', ['HTTP_CONTENT_LENGTH', '2']],
    ['the client’s header is no number', ['HTTP_CONTENT_LENGTH', '+9']],
    ['the client’s header came twice', ['HTTP_CONTENT_LENGTH', '9', 'HTTP_CONTENT_LENGTH', '9']],
    ['the body was chunked', ['HTTP_CONTENT_LENGTH', '9', 'HTTP_TRANSFER_ENCODING', 'chunked']],
    ['it is lighttpd', ['HTTP_CONTENT_LENGTH', '9', 'SERVER_SOFTWARE', 'lighttpd/1.4.69']],
  ])('CONTENT_LENGTH counts where %s', (_name, more) => {
    const params = ['CONTENT_LENGTH', '3', 'SCGI', '1', ...more]
    expectEveryWay(all(params, 'abc'), [begin(params, 3), body('abc'), end])
  })

  test('without CONTENT_LENGTH the client’s header says nothing', () => {
    expectEveryWay(all(['SCGI', '1', 'HTTP_CONTENT_LENGTH', '9'], ''), [
      begin(['SCGI', '1', 'HTTP_CONTENT_LENGTH', '9'], 0),
      end,
    ])
  })
})

test('a connection that was given up stays given up', () => {
  const one = decoder()
  one.feed(bytes('x'))
  expect(() => one.next()).toThrow('byte 0x78')
  one.feed(packet('SCGI\x001\0'))
  expect(() => one.next()).toThrow('byte 0x78')
})

test('midRequest tells a truncation from a whole request', () => {
  const input = Buffer.concat(encodeScgiRequest({ params: ['A', 'b'], body: bytes('abc') }))
  for (let at = 0; at <= input.length; at += 1) {
    const one = decoder()
    decode(one, [input.subarray(0, at)])
    expect(one.midRequest, `after ${at} of ${input.length}`).toBe(at > 0 && at < input.length)
  }
})
