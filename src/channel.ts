/**
 * Messages between processes:
 *
 *   length u32be | length bytes of MessagePack
 *
 * over any duplex stream: the pipe between master and worker, the control socket.
 */

import type { Duplex } from 'node:stream'
import { Packr } from 'msgpackr'
import { asError, TsgiError } from './errors.ts'

export const MAX_FRAME_BYTES = 16 * 1024 * 1024

const HEADER_BYTES = 4
const packr = new Packr({ useRecords: false })

interface ChannelEvents<In> {
  readonly message: (message: In) => void
  /** Once, and last. With an error when the peer sent what is no message, or the stream broke. */
  readonly close: (error: Error | undefined) => void
}

/** One end of a conversation. `In` is what the peer may say, checked by `parse`; anything else ends the conversation. */
export class MessageChannel<In, Out> {
  readonly #stream: Duplex
  readonly #parse: (value: unknown) => In
  readonly #events: ChannelEvents<In>
  #chunks: Buffer[] = []
  #bufferedBytes = 0
  #closed = false

  /** Takes the stream over. @param parse returns the message or throws. */
  constructor(stream: Duplex, parse: (value: unknown) => In, events: ChannelEvents<In>) {
    this.#stream = stream
    this.#parse = parse
    this.#events = events
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('error', (error) => this.#close(error))
    stream.on('end', () => this.#close(this.#bufferedBytes > 0 ? cutShort() : undefined))
    stream.on('close', () => this.#close(undefined))
  }

  /** Bytes handed over and not yet taken by the kernel. */
  get unsentBytes(): number {
    return this.#stream.writableLength
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Sends nothing once the conversation is over: its end was reported. `sent` runs when the kernel took the bytes, and at once
   * when it never will.
   */
  send(message: Out, sent?: () => void): void {
    if (this.#closed || this.#stream.writableEnded) sent?.()
    else this.#stream.write(encodeFrame(message), sent === undefined ? undefined : () => sent())
  }

  /** Sends what is queued, then ends the conversation. */
  end(): void {
    this.#stream.end()
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return
    this.#chunks.push(chunk)
    this.#bufferedBytes += chunk.length
    for (;;) {
      const message = this.#next()
      if (message === undefined) return
      this.#events.message(message.value)
    }
  }

  /** The next whole message, if there is one. What is no message ends the conversation. */
  #next(): { readonly value: In } | undefined {
    if (this.#closed) return undefined
    try {
      const body = this.#takeFrame()
      return body === undefined ? undefined : { value: this.#parse(decode(body)) }
    } catch (thrown) {
      this.#close(asError(thrown))
      return undefined
    }
  }

  #takeFrame(): Buffer | undefined {
    if (this.#bufferedBytes < HEADER_BYTES) return undefined
    if ((this.#chunks[0]?.length ?? 0) < HEADER_BYTES) this.#chunks = [Buffer.concat(this.#chunks)]
    const length = this.#chunks[0]?.readUInt32BE(0) ?? 0
    if (length > MAX_FRAME_BYTES)
      throw malformed(`a message of ${length} bytes; at most ${MAX_FRAME_BYTES} are allowed`)
    const end = HEADER_BYTES + length
    if (this.#bufferedBytes < end) return undefined
    const buffered = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
    if (buffered === undefined) return undefined
    const rest = buffered.subarray(end)
    this.#chunks = rest.length > 0 ? [rest] : []
    this.#bufferedBytes = rest.length
    return buffered.subarray(HEADER_BYTES, end)
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#chunks = []
    this.#bufferedBytes = 0
    if (error !== undefined) this.#stream.destroy()
    else this.#stream.end()
    this.#events.close(error)
  }
}

/** @throws TsgiError TSGI_RUN when the message is longer than a frame may be. */
export function encodeFrame(message: unknown): Buffer {
  const body = packr.pack(message)
  if (body.length > MAX_FRAME_BYTES) {
    throw new TsgiError('TSGI_RUN', `a message of ${body.length} bytes; at most ${MAX_FRAME_BYTES} are allowed`)
  }
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length)
  frame.writeUInt32BE(body.length, 0)
  body.copy(frame, HEADER_BYTES)
  return frame
}

function decode(body: Buffer): unknown {
  try {
    return packr.unpack(body)
  } catch (thrown) {
    throw new TsgiError('TSGI_PROTOCOL_MALFORMED', 'a message that is no MessagePack', { cause: thrown })
  }
}

function malformed(what: string): TsgiError {
  return new TsgiError('TSGI_PROTOCOL_MALFORMED', what)
}

function cutShort(): TsgiError {
  return new TsgiError('TSGI_PROTOCOL_TRUNCATED', 'the peer left in the middle of a message')
}
