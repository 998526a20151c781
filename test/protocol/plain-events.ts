/** What the tests of the decoders expect, in short. */

import { expect } from 'vitest'
import type { Decoder } from '../../src/protocol/codec.ts'
import { type DecodeOptions, everyWay, type PlainEvent } from '../support/every-way.ts'

/** The only request of its connection. */
export const begin = (params: readonly string[], contentLength: number): PlainEvent => ({
  kind: 'begin',
  requestId: 0,
  params,
  contentLength,
  keepConnection: false,
})

export const end: PlainEvent = { kind: 'end', requestId: 0 }

/** An expectation of what a decoder makes of bytes, wherever they are cut. */
export const everyWayOf =
  (makeDecoder: () => Decoder) =>
  (input: Buffer, expected: PlainEvent[], options?: DecodeOptions): void => {
    for (const { cut, events } of everyWay(makeDecoder, input, options)) expect(events, cut).toEqual(expected)
  }
