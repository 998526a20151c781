/** What a hostile peer can make a decoder hold: the limits and one record, however long it goes on. */

import { expect, test } from 'vitest'
import { encodeBeginRequest, encodeFastcgiRecord } from '../../src/client/fastcgi.ts'
import type { Decoder, DecoderLimits, Protocol } from '../../src/protocol/codec.ts'
import { fastcgi } from '../../src/protocol/fastcgi.ts'
import { TYPE } from '../../src/protocol/fastcgi-records.ts'
import { scgi } from '../../src/protocol/scgi.ts'
import { uwsgi } from '../../src/protocol/uwsgi.ts'
import { heldBytes } from '../support/held-bytes.ts'

const limits: DecoderLimits = { maxParamsBytes: 32_768, maxParams: 1000, maxRequests: 4 }
/** The limit, doubled by growth, for each request, and one record. */
const ALLOWED_BYTES = 2 * 32_768 * 4 + 65_535
const DECODERS = 10
const empty = new Uint8Array(0)

function* often(piece: Buffer, count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= 1) yield piece
}

function* after(first: Buffer, rest: Iterable<Buffer>): Generator<Buffer> {
  yield first
  yield* rest
}

function feedAll(decoder: Decoder, pieces: Iterable<Buffer>): void {
  for (const piece of pieces) {
    // The memory of the piece is gone after this turn: what still holds it would be counted.
    decoder.feed(Buffer.from(piece))
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.kind === 'abort' || event.kind === 'end') decoder.answered?.(event.requestId)
    }
  }
}

const begun = Buffer.concat([1, 2, 3, 4].map((id) => encodeBeginRequest(id, true)))
const params = (size: number) =>
  Buffer.concat([1, 2, 3, 4].map((id) => encodeFastcgiRecord(TYPE.params, id, Buffer.alloc(size, 0x41))))
const head = Buffer.concat([encodeBeginRequest(1, true), encodeFastcgiRecord(TYPE.params, 1, empty)])
const stdin = encodeFastcgiRecord(TYPE.stdin, 1, Buffer.alloc(60_000))
const asked = encodeFastcgiRecord(TYPE.getValues, 0, Buffer.alloc(65_535))
const crumb = Buffer.from('A')

const attacks: [string, Protocol, () => Iterable<Buffer>][] = [
  ['PARAMS that never end', fastcgi, () => after(begun, often(params(1000), 200))],
  ['PARAMS of one byte each', fastcgi, () => after(begun, often(params(1), 30_000))],
  ['a record of 65535 bytes in crumbs', fastcgi, () => after(asked.subarray(0, 8), often(crumb, 65_534))],
  ['requests begun and left alone', fastcgi, beginAll],
  ['a body that never ends', fastcgi, () => after(head, often(stdin, 100))],
  ['unknown management records', fastcgi, () => often(encodeFastcgiRecord(200, 0, Buffer.alloc(50_000)), 100)],
  ['a netstring that never ends', scgi, () => after(Buffer.from('32768:'), often(crumb, 32_000))],
  ['variables that never end', uwsgi, () => after(Buffer.from([0, 0xff, 0xff, 0]), often(crumb, 60_000))],
]

function* beginAll(): Generator<Buffer> {
  for (let id = 1; id < 20_000; id += 1) yield encodeBeginRequest(id, true)
}

test.each(attacks)('%s', { timeout: 60_000 }, async (_name, protocol, pieces) => {
  const decoders = Array.from({ length: DECODERS }, () => protocol.createDecoder(limits))
  const before = await heldBytes()
  for (const decoder of decoders) feedAll(decoder, pieces())
  const held = ((await heldBytes()) - before) / DECODERS
  expect(decoders).toHaveLength(DECODERS)
  expect(held).toBeLessThan(ALLOWED_BYTES)
})

test('decoders that remember names hold nothing of the requests that they came with', async () => {
  const before = await heldBytes()
  for (let count = 1; count <= 100; count += 1) {
    const names = Array.from({ length: count }, (_, index) => `HTTP_OF_SOME_LENGTH_${index}`)
    const block = Buffer.concat([...names.map((name) => pair(name, '')), pair('HTTP_LONG', 'x'.repeat(50_000))])
    const { length } = block
    // They share what they remember.
    const decoder = uwsgi.createDecoder({ ...limits, maxParamsBytes: 65_535 })
    decoder.feed(Buffer.concat([Buffer.from([0, length & 0xff, length >> 8, 0]), block]))
    expect(decoder.next()?.kind).toBe('begin')
  }
  expect((await heldBytes()) - before).toBeLessThan(1_000_000)
})

function pair(name: string, value: string): Buffer {
  const bytes = Buffer.from(`  ${name}  ${value}`, 'latin1')
  bytes.writeUInt16LE(name.length, 0)
  bytes.writeUInt16LE(value.length, 2 + name.length)
  return bytes
}
