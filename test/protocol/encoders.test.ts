import { expect, test } from 'vitest'
import { createFastcgiResponseParser, FastcgiRecordReader } from '../../src/client/fastcgi.ts'
import { collectResponse, type ResponseParser } from '../../src/client/request.ts'
import { createScgiResponseParser } from '../../src/client/scgi.ts'
import { fastcgi } from '../../src/protocol/fastcgi.ts'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'
import { scgi } from '../../src/protocol/scgi.ts'
import { bytes } from '../support/bytes.ts'
import { singly } from '../support/every-way.ts'

const { encoder } = fastcgi
const headers = [
  ['Content-Type', 'text/plain'],
  ['Set-Cookie', 'a=\xe9'],
  ['Set-Cookie', 'b=2'],
] as const

function receive(parser: ResponseParser, pieces: readonly Uint8Array[]) {
  const whole = Buffer.concat(pieces)
  const events = [...singly(whole)].flatMap((piece) => parser.feed(Buffer.from(piece)))
  return collectResponse([...events, ...parser.close()])
}

test('a response known whole is one buffer: head and body in one record, both ends', () => {
  const sent = encoder.start(1, '200 OK', [['A', 'b']], bytes('hi'), true, true)
  const head = 'Status: 200 OK\r\nA: b\r\n\r\nhi'
  expect(Buffer.from(sent).toString('latin1')).toBe(
    `\x01\x06\0\x01\0\x1a\x06\0${head}\0\0\0\0\0\0\x01\x06\0\x01\0\0\0\0\x01\x03\0\x01\0\x08\0\0${'\0'.repeat(8)}`,
  )
})

test.each([0, 1, 7, 8, 16_384, 16_385, 65_480, 65_528, 65_529, 65_535, 65_536, 200_000])(
  'a body of %i bytes arrives whole, in records of at most 65535 bytes, padded to 8, none empty before the end',
  (length) => {
    const body = Buffer.alloc(length, 'abcdefg')
    const started = length === 0 ? undefined : body
    const ways = [
      [encoder.start(258, '201 Created', headers, started, true, false)],
      [
        encoder.start(258, '201 Created', headers, undefined, false, false),
        ...(length === 0 ? [] : encoder.chunk(258, body)),
        encoder.end(258, false) ?? bytes('no end'),
      ],
    ]
    for (const pieces of ways) {
      const response = receive(createFastcgiResponseParser(false, 258), pieces)
      expect(response).toMatchObject({ status: 201, reason: 'Created', headers, endedCleanly: true })
      expect(response.body.equals(body)).toBe(true)
      const whole = Buffer.concat(pieces)
      expect(whole.length % 8).toBe(0)
      const reader = new FastcgiRecordReader()
      const records = reader.feed(whole)
      expect(reader.pendingBytes).toBe(0)
      expect(records.slice(-2).map(({ type, content }) => [type, content.length])).toEqual([
        [TYPE.stdout, 0],
        [TYPE.endRequest, 8],
      ])
      expect(records.slice(0, -2).every(({ type, content }) => type === TYPE.stdout && content.length > 0)).toBe(true)
    }
  },
)

test('a head longer than a record is cut into records', () => {
  const long = [['X', 'v'.repeat(70_000)]] as const
  const response = receive(createFastcgiResponseParser(), [encoder.start(1, '200 OK', long, bytes('hi'), true, true)])
  expect(response.headers).toEqual(long)
  expect(response.body.toString()).toBe('hi')
})

test('padding holds zeros, not what was in memory before', () => {
  for (let round = 0; round < 200; round += 1) {
    const dirty = Buffer.allocUnsafe(64).fill(0xaa)
    const sent = Buffer.from(encoder.chunk(1, bytes('a'))[0] ?? dirty)
    expect(sent.subarray(9).equals(Buffer.alloc(7))).toBe(true)
  }
})

test('the end of a request names that request', () => {
  const end = (id: number) => new FastcgiRecordReader().feed(encoder.end(id, true) ?? bytes('')).map((r) => r.requestId)
  expect(end(1)).toEqual([1, 1])
  expect(end(513)).toEqual([513, 513])
})

test('an aborted response cannot be taken for a complete one', () => {
  const pieces = [encoder.start(1, '200 OK', headers, bytes('half'), false, true), encoder.abort(1) ?? bytes('')]
  const response = receive(createFastcgiResponseParser(), pieces)
  expect(response).toMatchObject({ endedCleanly: false, problem: 'a record of version 0: the response was given up' })
})

test('a response without END_REQUEST cannot be taken for a complete one', () => {
  const response = receive(createFastcgiResponseParser(), [
    encoder.start(1, '200 OK', headers, bytes('x'), false, true),
  ])
  expect(response.endedCleanly).toBe(false)
})

test('text for the error log is FCGI_STDERR, as UTF-8, and no record where there is none', () => {
  const start = encoder.start(1, '200 OK', headers, undefined, false, true)
  const text = `größer: ${'x'.repeat(70_000)}\n`
  const response = receive(createFastcgiResponseParser(), [
    ...(encoder.errors?.(1, text) ?? []),
    start,
    encoder.end(1, true) ?? bytes(''),
  ])
  expect(response.errors).toBe(text)
  expect(encoder.errors?.(1, '')).toEqual([])
})

test('SCGI: a Status field, the headers, the body; closing is the end', () => {
  const sent = scgi.encoder.start(0, '404 Not Found', headers, bytes('gone'), true, false)
  expect(Buffer.from(sent).toString('latin1')).toBe(
    'Status: 404 Not Found\r\nContent-Type: text/plain\r\nSet-Cookie: a=\xe9\r\nSet-Cookie: b=2\r\n\r\ngone',
  )
  expect(scgi.encoder.end(0, false)).toBeUndefined()
  expect(scgi.encoder.abort(0)).toBeUndefined()
  expect(receive(createScgiResponseParser(), [sent])).toMatchObject({ status: 404, endedCleanly: true })
})
