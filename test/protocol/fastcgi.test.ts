import { expect, test } from 'vitest'
import {
  encodeBeginRequest,
  encodeFastcgiPairs,
  encodeFastcgiRecord,
  encodeFastcgiRequest,
  encodeFastcgiStream,
} from '../../src/client/fastcgi.ts'
import type { DecoderLimits } from '../../src/protocol/codec.ts'
import { fastcgi } from '../../src/protocol/fastcgi.ts'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'
import { bytes } from '../support/bytes.ts'
import { decode, everyWay, type PlainEvent, singly } from '../support/every-way.ts'
import { everyWayOf } from './plain-events.ts'

const limits: DecoderLimits = { maxParamsBytes: 131_072, maxParams: 100, maxRequests: 4 }
const decoder = (changed: Partial<DecoderLimits> = {}) => fastcgi.createDecoder({ ...limits, ...changed })
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const none = new Uint8Array(0)

const expectEveryWay = everyWayOf(decoder)

const get = ['REQUEST_METHOD', 'GET', 'CONTENT_LENGTH', '']
const begin = (requestId: number, params: string[], contentLength?: number, keepConnection = false): PlainEvent => ({
  kind: 'begin',
  requestId,
  params,
  contentLength,
  keepConnection,
})

test('a request written by hand from the specification is understood', () => {
  // BEGIN_REQUEST(1, responder, KEEP_CONN), PARAMS with the pair of section 3.4, both streams ended; padding of 2.
  const input = hex(`
    01 01 0001 0008 00 00  0001 01 0000000000
    01 04 0001 000e 02 00  0b 01 5345525645525f504f5254 38  0000
    01 04 0001 0000 00 00
    01 05 0001 0000 00 00`)
  // Lengths 0b and 01 and their 12 bytes are 14.
  expectEveryWay(input, [begin(1, ['SERVER_PORT', '8'], undefined, true), { kind: 'end', requestId: 1 }])
})

test('a POST is the same request however the network cuts it', () => {
  const params = ['REQUEST_METHOD', 'POST', 'CONTENT_LENGTH', '11', 'X', '']
  const input = Buffer.concat(encodeFastcgiRequest({ params, body: bytes('hello world') }, { recordBytes: 7 }))
  expectEveryWay(input, [
    begin(1, params, 11),
    { kind: 'body', requestId: 1, text: 'hello world' },
    { kind: 'end', requestId: 1 },
  ])
})

test('names and values of 127, 128 and 70000 bytes keep their bytes', () => {
  for (const length of [127, 128, 255, 70_000]) {
    const params = [`N${'n'.repeat(length - 1)}`, '\xff'.repeat(length), 'Z', '1', 'CONTENT_LENGTH', '']
    const limit = { maxParamsBytes: 300_000 }
    const input = Buffer.concat(encodeFastcgiRequest({ params }, { recordBytes: 8184 }))
    const expected = [begin(1, params), { kind: 'end', requestId: 1 }]
    expect(decode(decoder(limit), [input])).toEqual(expected)
    expect(decode(decoder(limit), singly(input))).toEqual(expected)
  }
})

test('two kept requests in one read are two requests, and names of the first do not leak into the second', () => {
  const second = ['REQUEST_METHOO', 'PUT', 'CONTENT_LENGTH', '', 'HTTP_X', '2']
  const input = Buffer.concat([
    ...encodeFastcgiRequest({ params: get }, { keepConnection: true }),
    ...encodeFastcgiRequest({ params: second }, { keepConnection: true }),
  ])
  const ended = { kind: 'end', requestId: 1 } as const
  expectEveryWay(input, [begin(1, get, undefined, true), ended, begin(1, second, undefined, true), ended])
})

test('requests multiplexed record by record come out whole', () => {
  const record = (id: number, type: number, text: string) => encodeFastcgiRecord(type, id, bytes(text), id)
  const one = encodeFastcgiPairs(['A', 'one', 'CONTENT_LENGTH', '4'])
  const two = encodeFastcgiPairs(['B', 'two'])
  const input = Buffer.concat([
    encodeBeginRequest(1, true),
    encodeBeginRequest(2, true),
    encodeFastcgiRecord(TYPE.params, 1, one.subarray(0, 3)),
    encodeFastcgiRecord(TYPE.params, 2, two, 3),
    encodeFastcgiRecord(TYPE.params, 1, one.subarray(3)),
    record(2, TYPE.params, ''),
    record(2, TYPE.stdin, 'b1'),
    record(1, TYPE.params, ''),
    record(1, TYPE.stdin, 'a1'),
    record(2, TYPE.stdin, 'b2'),
    record(1, TYPE.stdin, 'a2'),
    record(1, TYPE.stdin, ''),
    record(2, TYPE.stdin, ''),
  ])
  expectEveryWay(input, [
    begin(2, ['B', 'two'], undefined, true),
    { kind: 'body', requestId: 2, text: 'b1' },
    begin(1, ['A', 'one', 'CONTENT_LENGTH', '4'], 4, true),
    { kind: 'body', requestId: 1, text: 'a1' },
    { kind: 'body', requestId: 2, text: 'b2' },
    { kind: 'body', requestId: 1, text: 'a2' },
    { kind: 'end', requestId: 1 },
    { kind: 'end', requestId: 2 },
  ])
})

test('a body without CONTENT_LENGTH ends at the empty STDIN record (nginx without request buffering)', () => {
  const params = ['CONTENT_LENGTH', '', 'HTTP_TRANSFER_ENCODING', 'chunked']
  const input = Buffer.concat(encodeFastcgiRequest({ params, body: bytes('abc') }))
  expectEveryWay(input, [
    begin(1, params, undefined),
    { kind: 'body', requestId: 1, text: 'abc' },
    { kind: 'end', requestId: 1 },
  ])
})

test('more STDIN than CONTENT_LENGTH is refused as soon as it is announced', () => {
  const input = Buffer.concat(
    encodeFastcgiRequest({ params: ['CONTENT_LENGTH', '3'], body: bytes('abcd') }, { recordBytes: 2 }),
  )
  expectEveryWay(input, [
    begin(1, ['CONTENT_LENGTH', '3'], 3),
    { kind: 'body', requestId: 1, text: 'ab' },
    {
      kind: 'refuse',
      requestId: 1,
      code: 'TSGI_PROTOCOL_BAD_REQUEST',
      message: 'FastCGI: 4 bytes of STDIN and more, CONTENT_LENGTH says 3',
      keepConnection: false,
    },
  ])
})

test('less STDIN than CONTENT_LENGTH is a truncated body, never an end', () => {
  const input = Buffer.concat(
    encodeFastcgiRequest({ params: ['CONTENT_LENGTH', '5'], body: bytes('abcd') }, { keepConnection: true }),
  )
  expectEveryWay(input, [
    begin(1, ['CONTENT_LENGTH', '5'], 5, true),
    { kind: 'body', requestId: 1, text: 'abcd' },
    {
      kind: 'refuse',
      requestId: 1,
      code: 'TSGI_INPUT_TRUNCATED',
      message: 'FastCGI: STDIN ended after 4 bytes, CONTENT_LENGTH says 5',
      keepConnection: true,
    },
  ])
})

test.each([
  ['-2', 'CONTENT_LENGTH is no count of bytes: "-2"'],
  ['3, 5', 'CONTENT_LENGTH is no count of bytes: "3, 5"'],
  ['0x10', 'CONTENT_LENGTH is no count of bytes: "0x10"'],
  ['99999999999999999999', 'CONTENT_LENGTH is no count of bytes: "99999999999999999999"'],
])('CONTENT_LENGTH %j is refused', (value, message) => {
  const input = Buffer.concat(encodeFastcgiRequest({ params: ['CONTENT_LENGTH', value], body: bytes('x') }))
  expectEveryWay(input, [
    { kind: 'refuse', requestId: 1, code: 'TSGI_PROTOCOL_BAD_REQUEST', message, keepConnection: false },
  ])
})

test('CONTENT_LENGTH sent twice is refused even where both agree', () => {
  const params = ['CONTENT_LENGTH', '0', 'CONTENT_LENGTH', '0']
  const [event] = decode(decoder(), [Buffer.concat(encodeFastcgiRequest({ params }))])
  expect(event).toMatchObject({ kind: 'refuse', message: 'CONTENT_LENGTH was sent twice' })
})

test('ABORT_REQUEST reaches the request it names, and the rest of that request is passed over', () => {
  const input = Buffer.concat([
    ...encodeFastcgiRequest({ params: get }, { requestId: 2, keepConnection: true }).slice(0, 2),
    ...encodeFastcgiRequest({ params: get }, { requestId: 3, keepConnection: true }).slice(0, 2),
    encodeFastcgiRecord(TYPE.abortRequest, 2, none),
    encodeFastcgiRecord(TYPE.stdin, 2, bytes('late')),
    encodeFastcgiRecord(TYPE.abortRequest, 2, none),
    encodeFastcgiStream(TYPE.stdin, 3, none),
  ])
  expectEveryWay(
    input,
    [
      begin(2, get, undefined, true),
      begin(3, get, undefined, true),
      { kind: 'abort', requestId: 2 },
      { kind: 'end', requestId: 3 },
    ],
    { answerAt: 'never' },
  )
})

test('a request whose body came whole can still be aborted', () => {
  const input = Buffer.concat([
    ...encodeFastcgiRequest({ params: get }),
    encodeFastcgiRecord(TYPE.abortRequest, 1, none),
  ])
  const events: PlainEvent[] = [begin(1, get), { kind: 'end', requestId: 1 }]
  expectEveryWay(input, [...events, { kind: 'abort', requestId: 1 }], { answerAt: 'never' })
  // Section 5.4: it may cross with END_REQUEST.
  expectEveryWay(input, events, { answerAt: 'end' })
})

test('a request aborted inside its PARAMS is answered with END_REQUEST and never begins', () => {
  const input = Buffer.concat([
    encodeBeginRequest(7, true),
    encodeFastcgiRecord(TYPE.params, 7, bytes('\x01')),
    encodeFastcgiRecord(TYPE.abortRequest, 7, none),
    encodeFastcgiStream(TYPE.params, 7, bytes('\x01ab')),
  ])
  expectEveryWay(input, [{ kind: 'reply', hex: '01030007000800000000000000000000', close: false }])
})

test('what comes of a request after its response is dropped, and its id may begin again (section 3.3)', () => {
  const post = ['CONTENT_LENGTH', '6']
  const input = Buffer.concat([
    ...encodeFastcgiRequest({ params: post, body: bytes('abcdef') }, { keepConnection: true, recordBytes: 3 }).slice(
      0,
      2,
    ),
    encodeFastcgiRecord(TYPE.stdin, 1, bytes('abc'), 5),
    ...encodeFastcgiRequest({ params: get }, { keepConnection: true }),
  ])
  expectEveryWay(input, [begin(1, post, 6, true), begin(1, get, undefined, true)], { answerAt: 'begin' })
})

test('GET_VALUES is answered with what is known of what was asked', () => {
  const ask = (...names: string[]) =>
    encodeFastcgiRecord(TYPE.getValues, 0, encodeFastcgiPairs(names.flatMap((name) => [name, ''])))
  const answer = (pairs: string[]) => {
    const content = encodeFastcgiPairs(pairs)
    return encodeFastcgiRecord(TYPE.getValuesResult, 0, content, -content.length & 7).toString('hex')
  }
  expectEveryWay(ask('FCGI_MPXS_CONNS', 'FCGI_MAX_CONNS', 'X', 'FCGI_MAX_REQS'), [
    {
      kind: 'reply',
      hex: answer(['FCGI_MAX_CONNS', '1024', 'FCGI_MAX_REQS', '4', 'FCGI_MPXS_CONNS', '1']),
      close: false,
    },
  ])
  expect(decode(decoder({ maxRequests: 1, maxConnections: 9 }), [ask('FCGI_MPXS_CONNS', 'FCGI_MAX_CONNS')])).toEqual([
    { kind: 'reply', hex: answer(['FCGI_MAX_CONNS', '9', 'FCGI_MPXS_CONNS', '0']), close: false },
  ])
  expect(decode(decoder(), [ask()])).toEqual([{ kind: 'reply', hex: answer([]), close: false }])
})

test('a management record of an unknown type is answered with UNKNOWN_TYPE and passed over', () => {
  const input = Buffer.concat([
    encodeFastcgiRecord(77, 0, bytes('whatever'), 3),
    ...encodeFastcgiRequest({ params: get }),
  ])
  expectEveryWay(input, [
    { kind: 'reply', hex: '010b0000000800004d00000000000000', close: false },
    begin(1, get),
    { kind: 'end', requestId: 1 },
  ])
})

test.each([2, 3, 0, 256])('role %i is answered with FCGI_UNKNOWN_ROLE', (role) => {
  const input = Buffer.concat([
    encodeBeginRequest(1, true, role),
    encodeFastcgiStream(TYPE.params, 1, encodeFastcgiPairs(get)),
    encodeFastcgiStream(TYPE.stdin, 1, none),
    ...encodeFastcgiRequest({ params: get }, { keepConnection: true }),
  ])
  expectEveryWay(input, [
    { kind: 'reply', hex: '01030001000800000000000003000000', close: false },
    begin(1, get, undefined, true),
    { kind: 'end', requestId: 1 },
  ])
})

test('an unknown role on a connection that is not kept closes it', () => {
  expect(decode(decoder(), [encodeBeginRequest(1, false, 3)])).toEqual([
    { kind: 'reply', hex: '01030001000800000000000003000000', close: true },
  ])
})

test('one request too many on a connection is a 503 of its own; the others go on', () => {
  const all = [1, 2, 3].map((requestId) => encodeFastcgiRequest({ params: get }, { requestId, keepConnection: true }))
  const input = Buffer.concat([...all.map(([record]) => record ?? none), ...all.flatMap((records) => records.slice(1))])
  const events = decode(decoder({ maxRequests: 2 }), [input], { answerAt: 'never' })
  expect(events).toEqual([
    {
      kind: 'refuse',
      requestId: 3,
      code: 'TSGI_PROTOCOL_OVERLOADED',
      message: 'FastCGI: request 3 is one more than the 2 allowed on one connection',
      keepConnection: true,
    },
    begin(1, get, undefined, true),
    { kind: 'end', requestId: 1 },
    begin(2, get, undefined, true),
    { kind: 'end', requestId: 2 },
  ])
})

test('DATA, which only a filter is sent, is passed over', () => {
  const [first = none, params = none, stdin = none] = encodeFastcgiRequest({ params: get })
  const input = Buffer.concat([first, params, encodeFastcgiRecord(TYPE.data, 1, bytes('file'), 4), stdin])
  expectEveryWay(input, [begin(1, get), { kind: 'end', requestId: 1 }])
})

test('too many bytes of variables are refused before they are stored', () => {
  const input = Buffer.concat([
    encodeBeginRequest(1, true),
    encodeFastcgiRecord(TYPE.params, 1, Buffer.alloc(60)),
    encodeFastcgiRecord(TYPE.params, 1, Buffer.alloc(60)).subarray(0, 8),
  ])
  for (const { cut, events } of everyWay(() => decoder({ maxParamsBytes: 100 }), input)) {
    expect(events, cut).toEqual([
      {
        kind: 'refuse',
        requestId: 1,
        code: 'TSGI_PROTOCOL_TOO_LARGE',
        message: 'FastCGI: 120 bytes of variables and more, allowed are 100',
        keepConnection: true,
      },
    ])
  }
})

test('too many variables are refused', () => {
  const params = Array.from({ length: 2 * 101 }, () => 'A')
  const [event] = decode(decoder(), [
    Buffer.concat(encodeFastcgiRequest({ params: ['CONTENT_LENGTH', '', ...params] })),
  ])
  expect(event).toMatchObject({
    kind: 'refuse',
    code: 'TSGI_PROTOCOL_TOO_LARGE',
    message: 'FastCGI: more than 100 variables',
  })
})

test('midRequest tells a truncation from a rest between requests', () => {
  const input = Buffer.concat(encodeFastcgiRequest({ params: ['CONTENT_LENGTH', '3'], body: bytes('abc') }))
  for (let at = 0; at <= input.length; at += 1) {
    const one = decoder()
    decode(one, [input.subarray(0, at)])
    expect(one.midRequest, `after ${at} of ${input.length}`).toBe(at > 0 && at < input.length)
  }
})

test('a request answered early is no truncation', () => {
  const one = decoder()
  const input = Buffer.concat(encodeFastcgiRequest({ params: ['CONTENT_LENGTH', '3'], body: bytes('abc') }).slice(0, 2))
  decode(one, [input], { answerAt: 'begin' })
  expect(one.midRequest).toBe(false)
})

test('the rest of a body whose request was answered is owed to nobody', () => {
  const input = Buffer.concat(encodeFastcgiRequest({ params: [], body: bytes('one record') }))
  const one = decoder()
  decode(one, [input.subarray(0, -16)])
  expect([one.midRequest, one.owing]).toEqual([true, true])
  one.answered?.(1)
  expect([one.midRequest, one.owing]).toEqual([true, false])
  decode(one, [input.subarray(-16)])
  expect([one.midRequest, one.owing]).toEqual([false, false])
  decode(one, [encodeBeginRequest(2, true)])
  expect([one.midRequest, one.owing]).toEqual([true, true])
})

test('a CONTENT_LENGTH of -1, which Caddy sends for a chunked body, is a length that is not known', () => {
  const input = Buffer.concat(encodeFastcgiRequest({ params: ['CONTENT_LENGTH', '-1', 'A', '-1'], body: bytes('abc') }))
  expectEveryWay(input, [
    begin(1, ['CONTENT_LENGTH', '', 'A', '-1']),
    { kind: 'body', requestId: 1, text: 'abc' },
    { kind: 'end', requestId: 1 },
  ])
})
