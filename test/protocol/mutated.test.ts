/**
 * 100,000 damaged streams per protocol, from fixed seeds: whatever a peer sends, a decoder answers with events in order or
 * with a TsgiError. A failure names the seed of its stream.
 */

import { expect, test } from 'vitest'
import { encodeFastcgiPairs, encodeFastcgiRecord, encodeFastcgiRequest } from '../../src/client/fastcgi.ts'
import { encodeScgiRequest } from '../../src/client/scgi.ts'
import { encodeUwsgiRequest } from '../../src/client/uwsgi.ts'
import { TsgiError } from '../../src/errors.ts'
import type { Decoder, DecoderLimits, Protocol } from '../../src/protocol/codec.ts'
import { fastcgi } from '../../src/protocol/fastcgi.ts'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'
import { parseProxyHeader } from '../../src/protocol/proxy-header.ts'
import { scgi } from '../../src/protocol/scgi.ts'
import { uwsgi } from '../../src/protocol/uwsgi.ts'
import { bytes } from '../support/bytes.ts'
import { decode } from '../support/every-way.ts'
import { cutAtRandom, mutate, randomFrom } from '../support/mutate.ts'

const STREAMS = 100_000
const limits: DecoderLimits = { maxParamsBytes: 400, maxParams: 8, maxRequests: 3 }

const get = { params: ['REQUEST_METHOD', 'GET', 'CONTENT_LENGTH', '', 'HTTP_COOKIE', 'c'.repeat(130)] }
const post = { params: ['REQUEST_METHOD', 'POST', 'CONTENT_LENGTH', '9'], body: bytes('123456789') }
const first = encodeFastcgiRequest(post, { requestId: 1, keepConnection: true, recordBytes: 5 })
const second = encodeFastcgiRequest(get, { requestId: 2, keepConnection: true, recordBytes: 50 })

const streams: Record<Protocol['name'], Buffer[]> = {
  uwsgi: [get, post].map((request) => Buffer.concat(encodeUwsgiRequest(request))),
  scgi: [get, post].map((request) => Buffer.concat(encodeScgiRequest(request))),
  fastcgi: [
    Buffer.concat(encodeFastcgiRequest(get)),
    Buffer.concat([...first, ...first, ...second]),
    Buffer.concat([first, second].flatMap((records) => records.slice(0, 2)).concat(first.slice(2), second.slice(2))),
    Buffer.concat([
      encodeFastcgiRecord(TYPE.getValues, 0, encodeFastcgiPairs(['FCGI_MAX_REQS', ''])),
      ...first.slice(0, 2),
      encodeFastcgiRecord(TYPE.abortRequest, 1, new Uint8Array(0)),
      ...second,
    ]),
  ],
}

/** Feeds the pieces and checks that what comes out is a possible life of requests. @returns whether nothing was refused */
function checkLife(decoder: Decoder, pieces: readonly Buffer[]): boolean {
  const open = new Map<number, number | undefined>()
  let sound = true
  for (const piece of pieces) {
    decoder.feed(piece)
    try {
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        if (event.kind === 'reply') continue
        const { requestId } = event
        if (event.kind === 'begin') {
          if (open.has(requestId)) throw new Error(`request ${requestId} began twice`)
          if (event.params.length % 2 !== 0) throw new Error('a name without a value')
          if (event.params.length > 2 * limits.maxParams) throw new Error('more variables than allowed')
          if (event.params.join('').length > limits.maxParamsBytes) throw new Error('more bytes than allowed')
          open.set(requestId, event.contentLength)
          if (open.size > limits.maxRequests) throw new Error('more requests than allowed')
          continue
        }
        if (event.kind === 'refuse') {
          sound = false
          if (event.error.status === undefined) throw new Error(`${event.error.code} cannot be answered`)
        } else if (!open.has(requestId)) throw new Error(`${event.kind} of request ${requestId}, which is not open`)
        const left = open.get(requestId)
        if (event.kind === 'body') {
          if (event.chunk.length === 0) throw new Error('an empty chunk')
          if (left !== undefined) open.set(requestId, left - event.chunk.length)
          if (left !== undefined && left < event.chunk.length) throw new Error('more body than announced')
        } else {
          if (event.kind === 'end' && left !== undefined && left !== 0) throw new Error(`ended ${left} bytes early`)
          open.delete(requestId)
          decoder.answered?.(requestId)
        }
      }
    } catch (error) {
      if (error instanceof TsgiError && error.kind === 'protocol') return false
      throw error
    }
  }
  return sound
}

test.each([uwsgi, fastcgi, scgi])(
  '$name: damage to a stream is an error of the protocol, or none at all',
  { timeout: 60_000 },
  ({ name, createDecoder }) => {
    let sound = 0
    for (let seed = 0; seed < STREAMS; seed += 1) {
      const random = randomFrom(seed)
      const originals = streams[name]
      const original = originals[random(originals.length)] ?? Buffer.alloc(0)
      try {
        if (checkLife(createDecoder(limits), cutAtRandom(mutate(original, random), random))) sound += 1
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
    // Damage in a value or at the end is none to the protocol: both outcomes must be common, or nothing was tested.
    expect(sound).toBeGreaterThan(STREAMS / 20)
    expect(sound).toBeLessThan((STREAMS * 19) / 20)
  },
)

test('fastcgi: any sequence of well-formed records keeps to the life of a request', { timeout: 60_000 }, () => {
  const contents = [bytes(''), Buffer.from([0, 1, 1, 0, 0, 0, 0, 0]), encodeFastcgiPairs(post.params), bytes('12345')]
  for (let seed = 0; seed < STREAMS / 2; seed += 1) {
    const random = randomFrom(seed)
    const records = Array.from({ length: 1 + random(12) }, () => {
      // Mostly the records that keep a connection alive, so that long lives are reached too.
      const type = random(8) === 0 ? random(14) : ([1, 4, 4, 5, 5][random(5)] ?? 0)
      const content = type === TYPE.beginRequest ? contents[1] : contents[random(contents.length)]
      return encodeFastcgiRecord(type, 1 + random(3), content ?? bytes(''), random(3))
    })
    try {
      checkLife(fastcgi.createDecoder(limits), cutAtRandom(Buffer.concat(records), random))
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})

test('fastcgi: damage inside the content of one request leaves the others of the connection alone', () => {
  const other = encodeFastcgiRequest(get, { requestId: 2, keepConnection: true })
  const whole = decode(fastcgi.createDecoder(limits), other)
  expect(whole).toHaveLength(2)
  for (let seed = 0; seed < 20_000; seed += 1) {
    const random = randomFrom(seed)
    const params = Buffer.from(encodeFastcgiPairs(post.params))
    const body = Buffer.from(post.body)
    for (const content of [params, body]) if (random(2) === 0) content[random(content.length)] = random(256)
    const stream = Buffer.concat([
      first[0] ?? bytes(''),
      ...other.slice(0, 1),
      encodeFastcgiRecord(TYPE.params, 1, params, 2),
      ...other.slice(1, 2),
      encodeFastcgiRecord(TYPE.params, 1, bytes('')),
      encodeFastcgiRecord(TYPE.stdin, 1, body.subarray(0, random(10)), 3),
      ...other.slice(2),
      encodeFastcgiRecord(TYPE.stdin, 1, bytes('')),
    ])
    const events = decode(fastcgi.createDecoder(limits), cutAtRandom(stream, random))
    const undisturbed = events.filter((event) => 'requestId' in event && event.requestId === 2)
    expect(undisturbed, `seed ${seed}`).toEqual(whole)
    expect(events.some((event) => event.kind === 'throws')).toBe(false)
  }
})

test('a damaged PROXY header is an error of the protocol, or no longer than what came', { timeout: 60_000 }, () => {
  const originals = [
    bytes('PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET / HTTP/1.1\r\n'),
    bytes('PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 2\r\n\0\0\0\0'),
    Buffer.concat([bytes('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c'), Buffer.alloc(20, 7)]),
    Buffer.concat([bytes('\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x28'), Buffer.alloc(60, 7)]),
  ]
  for (let seed = 0; seed < STREAMS; seed += 1) {
    const random = randomFrom(seed)
    const input = mutate(originals[random(originals.length)] ?? bytes(''), random)
    try {
      const header = parseProxyHeader(input)
      if (header !== undefined && header.length > input.length) throw new Error('longer than what was received')
    } catch (error) {
      if (!(error instanceof TsgiError)) throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})
