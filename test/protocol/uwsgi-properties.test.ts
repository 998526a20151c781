/** What holds for every packet: 100,000 of them, from fixed seeds, whole and in pieces. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeUwsgiRequest } from '../../src/client/uwsgi.ts'
import type { DecoderLimits } from '../../src/protocol/codec.ts'
import { uwsgi } from '../../src/protocol/uwsgi.ts'
import { bytes } from '../support/bytes.ts'
import { decode, everyWay, type PlainEvent, singly } from '../support/every-way.ts'
import { cutAtRandom, mutate, randomFrom } from '../support/mutate.ts'

const limits: DecoderLimits = { maxParamsBytes: 65_535, maxParams: 1000, maxRequests: 1 }
const decoder = (changed: Partial<DecoderLimits> = {}) => uwsgi.createDecoder({ ...limits, ...changed })
const PACKETS = 100_000
const SEED = 20_260_101

const byteString = (max: number, min = 0) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((array) => Buffer.from(array).toString('latin1'))
const name = byteString(40, 1).filter((text) => text !== 'CONTENT_LENGTH')
const variables = fc.array(fc.tuple(name, byteString(60)), { maxLength: 12 })

test('what is encoded is decoded again, whatever the bytes and however they are cut', () => {
  const requests = fc.tuple(variables, fc.uint8Array({ maxLength: 200 }), fc.infiniteStream(fc.nat()))
  const property = fc.property(requests, ([pairs, body, cuts]) => {
    const params = ['CONTENT_LENGTH', String(body.length), ...pairs.flat()]
    const packet = Buffer.concat(encodeUwsgiRequest({ params, body }))
    const expected: PlainEvent[] = [
      { kind: 'begin', requestId: 0, params, contentLength: body.length, keepConnection: false },
      ...(body.length === 0
        ? []
        : [{ kind: 'body', requestId: 0, text: Buffer.from(body).toString('latin1') } satisfies PlainEvent]),
      { kind: 'end', requestId: 0 },
    ]
    const [first = 0, second = 0] = [cuts.next().value, cuts.next().value].map((at) => Number(at) % (packet.length + 1))
    const [low, high] = [Math.min(first, second), Math.max(first, second)]
    const pieces = [packet.subarray(0, low), packet.subarray(low, high), packet.subarray(high)]
    for (const each of [[packet], pieces, singly(packet)]) expect(decode(decoder(), each)).toEqual(expected)
  })
  fc.assert(property, { seed: SEED, numRuns: 2000 })
})

/** The packets that random and damaged bytes are made from: right ones, and starts of other protocols. */
const originals = [
  Buffer.concat(encodeUwsgiRequest({ params: ['REQUEST_METHOD', 'GET', 'PATH_INFO', '/a'] })),
  Buffer.concat(
    encodeUwsgiRequest({ params: ['REQUEST_METHOD', 'POST', 'CONTENT_LENGTH', '5'], body: bytes('12345') }),
  ),
  Buffer.concat(encodeUwsgiRequest({ params: ['CONTENT_LENGTH', '', 'HTTP_COOKIE', 'c'.repeat(300)] })),
  Buffer.concat(
    encodeUwsgiRequest({ params: ['CONTENT_LENGTH', '', ...'ABCDEF'.split('').flatMap((letter) => [letter, ''])] }),
  ),
  Buffer.from([100, 0, 0, 0]),
  bytes('GET / HTTP/1.1\r\n\r\n'),
]

test('random and damaged packets give the same events however they are cut, or a TsgiError, and nothing else', {
  timeout: 60_000,
}, () => {
  const seen = new Map<string, number>()
  for (let seed = 0; seed < PACKETS; seed += 1) {
    const random = randomFrom(seed)
    const noise = random(4) === 0
    const start = originals[random(originals.length)] ?? Buffer.alloc(0)
    const input = noise
      ? Buffer.from([
          random(8) === 0 ? random(256) : 0,
          random(80),
          random(2),
          0,
          ...Array.from({ length: random(90) }, () => (random(9) === 0 ? random(256) : random(5))),
        ])
      : mutate(start, random)
    try {
      // decode throws on whatever is no TsgiError.
      const whole = decode(decoder({ maxParams: 4 }), [input])
      const cut = decode(decoder({ maxParams: 4 }), cutAtRandom(input, random))
      if (JSON.stringify(cut) !== JSON.stringify(whole)) expect(cut).toEqual(whole)
      const key = whole.map((event) => ('code' in event ? event.code : event.kind)).join(' ')
      seen.set(key, (seen.get(key) ?? 0) + 1)
    } catch (error) {
      throw new Error(`seed ${seed}: ${input.toString('hex')}`, { cause: error })
    }
  }
  // Every outcome has to be common, or something was not tested.
  for (const outcome of [
    '',
    'begin end',
    'begin body end',
    'begin body',
    'reply',
    'TSGI_PROTOCOL_MALFORMED',
    'TSGI_PROTOCOL_UNSUPPORTED',
    'TSGI_PROTOCOL_TOO_LARGE',
    'TSGI_PROTOCOL_BAD_REQUEST',
  ]) {
    expect(seen.get(outcome) ?? 0, `${outcome}: ${JSON.stringify([...seen])}`).toBeGreaterThan(50)
  }
})

test('every modifier1 but 0 and 100 is refused by its number, before any variable is read', () => {
  for (let modifier1 = 0; modifier1 < 256; modifier1 += 1) {
    if (modifier1 === 0 || modifier1 === 100) continue
    for (const { cut, events } of everyWay(() => decoder(), Buffer.from([modifier1, 4, 0, 0]))) {
      expect(events, cut).toMatchObject([
        {
          kind: 'throws',
          code: 'TSGI_PROTOCOL_UNSUPPORTED',
          message: expect.stringContaining(`modifier1 ${modifier1} `),
        },
      ])
    }
  }
})

test('modifier2 says nothing', () => {
  for (const modifier2 of [1, 30, 255]) {
    const packet = Buffer.concat(encodeUwsgiRequest({ params: ['A', 'b'] }, 0, modifier2))
    expect(decode(decoder(), [packet])[0]).toMatchObject({ kind: 'begin' })
  }
})

test('a block of 65535 bytes is the same request cut at any of its edges', () => {
  const params = ['CONTENT_LENGTH', '3', 'A', 'x'.repeat(40_000), 'B', 'y'.repeat(65_535 - 19 - 5 - 40_000 - 5)]
  const input = Buffer.concat(encodeUwsgiRequest({ params, body: bytes('abc') }))
  expect(input.readUInt16LE(1)).toBe(65_535)
  const whole = decode(decoder(), [input])
  expect(whole.map(({ kind }) => kind)).toEqual(['begin', 'body', 'end'])
  const edges = [1, 2, 3, 4, 5, 6, 20, 21, 23, 24, 25, 40_024, 40_025, 40_026, 65_538, 65_539, 65_540, 65_541, 65_542]
  for (const edge of edges) {
    expect(decode(decoder(), [input.subarray(0, edge), input.subarray(edge)]), `at ${edge}`).toEqual(whole)
  }
  const reads = Array.from({ length: Math.ceil(input.length / 1448) }, (_, index) =>
    input.subarray(index * 1448, (index + 1) * 1448),
  )
  expect(decode(decoder(), reads)).toEqual(whole)
  expect(decode(decoder(), singly(input))).toEqual(whole)
})

test('two CONTENT_LENGTHs are refused, also where they agree', () => {
  for (const second of ['5', '6', '']) {
    const packet = Buffer.concat(
      encodeUwsgiRequest({ params: ['CONTENT_LENGTH', '5', 'CONTENT_LENGTH', second], body: bytes('12345') }),
    )
    for (const { cut, events } of everyWay(() => decoder(), packet)) {
      expect(events, cut).toMatchObject([
        { kind: 'refuse', code: 'TSGI_PROTOCOL_BAD_REQUEST', message: 'CONTENT_LENGTH was sent twice' },
      ])
    }
  }
})

test('what follows a request is nobody’s', () => {
  const one = Buffer.concat(encodeUwsgiRequest({ params: ['A', 'b'], body: bytes('xy') }))
  for (const { cut, events } of everyWay(() => decoder(), Buffer.concat([one, one]))) {
    expect(
      events.map(({ kind }) => kind),
      cut,
    ).toEqual(['begin', 'body', 'end'])
  }
})

test('an empty block of variables is a request without any', () => {
  expect(decode(decoder(), [Buffer.from([0, 0, 0, 0])])).toMatchObject([{ kind: 'begin', params: [] }, { kind: 'end' }])
})

test('the most variables that are allowed are allowed', () => {
  const params = (count: number): string[] => Array.from({ length: count }, (_, index) => [`V${index}`, '']).flat()
  const kinds = (count: number): string[] =>
    decode(
      decoder({ maxParams: 50 }),
      encodeUwsgiRequest({ params: ['CONTENT_LENGTH', '', ...params(count - 1)] }),
    ).map(({ kind }) => kind)
  expect(kinds(50)).toEqual(['begin', 'end'])
  expect(kinds(51)).toEqual(['refuse'])
})
