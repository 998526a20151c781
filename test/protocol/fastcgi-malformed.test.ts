import { describe, expect, test } from 'vitest'
import {
  encodeBeginRequest,
  encodeFastcgiPairs,
  encodeFastcgiRecord,
  encodeFastcgiStream,
} from '../../src/client/fastcgi.ts'
import { fastcgi } from '../../src/protocol/fastcgi.ts'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'
import { bytes } from '../support/bytes.ts'
import { everyWay } from '../support/every-way.ts'

const decoder = () => fastcgi.createDecoder({ maxParamsBytes: 131_072, maxParams: 100, maxRequests: 4 })
const none = new Uint8Array(0)
const record = encodeFastcgiRecord
const begun = encodeBeginRequest(1, true)
const params = encodeFastcgiStream(TYPE.params, 1, encodeFastcgiPairs(['A', 'b']))
const whole = Buffer.concat([begun, params, encodeFastcgiStream(TYPE.stdin, 1, none)])

describe('a connection is given up, with the record and its offset, at', () => {
  test.each<[string, Uint8Array[], string]>([
    ['version 0', [Buffer.alloc(8)], 'type 0 record at byte 0 has version 0, FastCGI 1.0 has 1'],
    ['HTTP', [bytes('GET / HTTP/1.1\r\n')], 'type 69 record at byte 0 has version 71, FastCGI 1.0 has 1'],
    [
      'version 2 later on',
      [begun, Buffer.from([2, 4, 0, 1, 0, 0, 0, 0])],
      'PARAMS record at byte 16 has version 2, FastCGI 1.0 has 1',
    ],
    ['BEGIN_REQUEST of id 0', [encodeBeginRequest(0, true)], 'BEGIN_REQUEST record at byte 0 has the null request id'],
    [
      'a short BEGIN_REQUEST',
      [record(TYPE.beginRequest, 1, Buffer.alloc(7))],
      'BEGIN_REQUEST record at byte 0 has 7 bytes of content instead of 8',
    ],
    [
      'a long BEGIN_REQUEST',
      [record(TYPE.beginRequest, 1, Buffer.alloc(9))],
      'BEGIN_REQUEST record at byte 0 has 9 bytes of content instead of 8',
    ],
    [
      'an empty BEGIN_REQUEST',
      [record(TYPE.beginRequest, 1, none)],
      'BEGIN_REQUEST record at byte 0 has 0 bytes of content instead of 8',
    ],
    [
      'an id begun again in its PARAMS',
      [begun, begun],
      'BEGIN_REQUEST record at byte 16 begins request 1, which is still open',
    ],
    [
      'an id begun again while it runs',
      [whole, begun],
      `BEGIN_REQUEST record at byte ${whole.length} begins request 1, which is still open`,
    ],
    ['PARAMS of id 0', [begun, record(TYPE.params, 0, none)], 'PARAMS record at byte 16 has the null request id'],
    ['STDIN of id 0', [record(TYPE.stdin, 0, bytes('x'))], 'STDIN record at byte 0 has the null request id'],
    [
      'ABORT_REQUEST of id 0',
      [record(TYPE.abortRequest, 0, none)],
      'ABORT_REQUEST record at byte 0 has the null request id',
    ],
    [
      'PARAMS of an id never begun',
      [begun, record(TYPE.params, 2, none)],
      'PARAMS record at byte 16 belongs to request 2, which was never begun',
    ],
    [
      'STDIN of an id never begun',
      [record(TYPE.stdin, 1, none)],
      'STDIN record at byte 0 belongs to request 1, which was never begun',
    ],
    [
      'DATA of an id never begun',
      [record(TYPE.data, 9, none)],
      'DATA record at byte 0 belongs to request 9, which was never begun',
    ],
    [
      'ABORT_REQUEST of an id never begun',
      [record(TYPE.abortRequest, 3, none)],
      'ABORT_REQUEST record at byte 0 belongs to request 3, which was never begun',
    ],
    [
      'ABORT_REQUEST with content',
      [begun, record(TYPE.abortRequest, 1, bytes('x'))],
      'ABORT_REQUEST record at byte 16 has 1 bytes of content, it carries none',
    ],
    [
      'STDIN before PARAMS',
      [begun, record(TYPE.stdin, 1, bytes('x'))],
      'STDIN record at byte 16 comes before the PARAMS of request 1 ended',
    ],
    [
      'STDIN between PARAMS',
      [begun, record(TYPE.params, 1, bytes('\x01\x01ab')), record(TYPE.stdin, 1, none)],
      'STDIN record at byte 28 comes before the PARAMS of request 1 ended',
    ],
    [
      'PARAMS after PARAMS',
      [begun, params, record(TYPE.params, 1, bytes('x'))],
      `PARAMS record at byte ${16 + params.length} comes after the PARAMS of request 1 ended`,
    ],
    [
      'PARAMS after STDIN',
      [whole, record(TYPE.params, 1, none)],
      `PARAMS record at byte ${whole.length} comes after the PARAMS of request 1 ended`,
    ],
    [
      'STDIN after STDIN',
      [whole, record(TYPE.stdin, 1, bytes('x'))],
      `STDIN record at byte ${whole.length} comes after the STDIN of request 1 ended`,
    ],
    [
      'a second end of STDIN',
      [whole, record(TYPE.stdin, 1, none)],
      `STDIN record at byte ${whole.length} comes after the STDIN of request 1 ended`,
    ],
    [
      'GET_VALUES of an id',
      [begun, record(TYPE.getValues, 1, none)],
      'GET_VALUES record at byte 16 is none that a web server sends to a responder',
    ],
    [
      'GET_VALUES that lie',
      [record(TYPE.getValues, 0, bytes('\x09\x00A'))],
      'GET_VALUES record at byte 0 cannot be read: FastCGI: the variable at byte 0 of PARAMS says 9 + 0 bytes, 1 are left',
    ],
    [
      'an unknown type of an id',
      [begun, record(12, 1, none)],
      'type 12 record at byte 16 is none that a web server sends to a responder',
    ],
    ['type 0', [record(0, 1, none)], 'type 0 record at byte 0 is none that a web server sends to a responder'],
  ])('%s', (_name, pieces, what) => {
    const message = `FastCGI: the ${what}`
    for (const { cut, events } of everyWay(decoder, Buffer.concat(pieces), { answerAt: 'never' })) {
      expect(events.at(-1), cut).toEqual({ kind: 'throws', code: 'TSGI_PROTOCOL_MALFORMED', message })
    }
  })

  test.each([TYPE.endRequest, TYPE.stdout, TYPE.stderr, TYPE.getValuesResult, TYPE.unknownType])(
    'type %i, which only an application sends',
    (type) => {
      for (const id of [0, 1]) {
        const input = Buffer.concat([begun, record(type, id, Buffer.alloc(8))])
        for (const { cut, events } of everyWay(decoder, input)) {
          expect(events, cut).toHaveLength(1)
          expect(events[0], cut).toMatchObject({ kind: 'throws', code: 'TSGI_PROTOCOL_MALFORMED' })
        }
      }
    },
  )
})

test('a connection that was given up stays given up', () => {
  const one = decoder()
  one.feed(Buffer.alloc(8))
  expect(() => one.next()).toThrow('has version 0')
  one.feed(whole)
  expect(() => one.next()).toThrow('has version 0')
})

describe('a request is refused, and the connection goes on, at', () => {
  test.each<[string, Buffer, string]>([
    [
      'a name that runs past the end',
      bytes('\x05\x01AB'),
      'the variable at byte 0 of PARAMS says 5 + 1 bytes, 2 are left',
    ],
    [
      'a value that runs past the end',
      bytes('\x01\x01AB\x01\x02CD'),
      'the variable at byte 4 of PARAMS says 1 + 2 bytes, 2 are left',
    ],
    ['a missing value length', bytes('\x01'), 'the variable at byte 0 of PARAMS is cut off inside its lengths'],
    [
      'a long name length cut off',
      bytes('\x80\x00\x00'),
      'the variable at byte 0 of PARAMS is cut off inside its lengths',
    ],
    [
      'a long value length cut off',
      bytes('\x01\x80\x00\x00'),
      'the variable at byte 0 of PARAMS is cut off inside its lengths',
    ],
    [
      'lengths whose sum wraps 32 bits',
      Buffer.concat([Buffer.alloc(8, 0xff), bytes('AB')]),
      'the variable at byte 0 of PARAMS says 2147483647 + 2147483647 bytes, 2 are left',
    ],
    [
      'lengths that are negative as 32-bit integers',
      bytes('\x81\xff\xff\xff\xff\xff\xff\xffAB'),
      'the variable at byte 0 of PARAMS says 33554431 + 2147483647 bytes, 2 are left',
    ],
    ['a name of no bytes', bytes('\x00\x01A'), 'a variable without a name at byte 0 of PARAMS'],
  ])('%s', (_name, block, what) => {
    const input = Buffer.concat([
      begun,
      encodeFastcgiStream(TYPE.params, 1, block),
      encodeFastcgiStream(TYPE.stdin, 1, none),
      whole,
    ])
    for (const { cut, events } of everyWay(decoder, input)) {
      expect(events, cut).toEqual([
        {
          kind: 'refuse',
          requestId: 1,
          code: 'TSGI_PROTOCOL_BAD_REQUEST',
          message: `FastCGI: ${what}`,
          keepConnection: true,
        },
        { kind: 'begin', requestId: 1, params: ['A', 'b'], contentLength: undefined, keepConnection: true },
        { kind: 'end', requestId: 1 },
      ])
    }
  })
})
