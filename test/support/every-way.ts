/** Runs a decoder over the same bytes cut in every way that matters, so that no test depends on where a read ended. */

import { type ErrorCode, TsgiError } from '../../src/errors.ts'
import type { Decoder } from '../../src/protocol/codec.ts'

/** An event as plain data: adjacent body chunks of one request joined, errors by code and message. */
export type PlainEvent =
  | {
      kind: 'begin'
      requestId: number
      params: readonly string[]
      contentLength: number | undefined
      keepConnection: boolean
    }
  | { kind: 'body'; requestId: number; text: string }
  | { kind: 'end' | 'abort'; requestId: number }
  | { kind: 'refuse'; requestId: number; code: ErrorCode; message: string; keepConnection: boolean }
  | { kind: 'reply'; hex: string; close: boolean }
  | { kind: 'throws'; code: ErrorCode; message: string }

export interface DecodeOptions {
  /** When the response counts as sent: the decoder is told, where it wants to know. Never: the request goes on and on. */
  readonly answerAt?: 'begin' | 'end' | 'never'
}

/**
 * Feeds `pieces` one after the other, each from memory that is overwritten once the decoder has asked for more: it must not
 * hold on to what it was fed. Anything thrown but a TsgiError is thrown on.
 */
export function decode(decoder: Decoder, pieces: Iterable<Uint8Array>, options: DecodeOptions = {}): PlainEvent[] {
  const { answerAt = 'end' } = options
  const events: PlainEvent[] = []
  for (const piece of pieces) {
    const memory = Buffer.from(piece)
    decoder.feed(memory)
    try {
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        switch (event.kind) {
          case 'begin': {
            const { kind, requestId, params, contentLength, keepConnection } = event
            events.push({ kind, requestId, params, contentLength, keepConnection })
            if (answerAt === 'begin') decoder.answered?.(requestId)
            break
          }
          case 'body':
            pushBody(events, event.requestId, Buffer.from(event.chunk).toString('latin1'))
            break
          case 'end':
          case 'abort':
            events.push({ kind: event.kind, requestId: event.requestId })
            if (answerAt === 'end') decoder.answered?.(event.requestId)
            break
          case 'refuse': {
            const { kind, requestId, error, keepConnection = false } = event
            events.push({ kind, requestId, code: error.code, message: error.message, keepConnection })
            if (answerAt !== 'never') decoder.answered?.(requestId)
            break
          }
          case 'reply':
            events.push({ kind: 'reply', hex: Buffer.from(event.bytes).toString('hex'), close: event.close })
        }
      }
    } catch (error) {
      if (!(error instanceof TsgiError)) throw error
      events.push({ kind: 'throws', code: error.code, message: error.message })
      return events
    }
    memory.fill(0xee)
  }
  return events
}

function pushBody(events: PlainEvent[], requestId: number, text: string): void {
  const last = events.at(-1)
  if (last?.kind === 'body' && last.requestId === requestId) last.text += text
  else events.push({ kind: 'body', requestId, text })
}

/** What the decoder makes of `bytes` whole, byte by byte, and cut in two at every place. */
export function* everyWay(
  makeDecoder: () => Decoder,
  bytes: Uint8Array,
  options: DecodeOptions = {},
): Generator<{ readonly cut: string; readonly events: PlainEvent[] }> {
  yield { cut: 'whole', events: decode(makeDecoder(), [bytes], options) }
  yield { cut: 'byte by byte', events: decode(makeDecoder(), singly(bytes), options) }
  for (let at = 1; at < bytes.length; at += 1) {
    yield { cut: `at ${at}`, events: decode(makeDecoder(), [bytes.subarray(0, at), bytes.subarray(at)], options) }
  }
}

export function* singly(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1) yield bytes.subarray(at, at + 1)
}
