import { Duplex, PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeFrame, MAX_FRAME_BYTES, MessageChannel } from '../../src/channel.ts'
import { asError } from '../../src/errors.ts'
import { parseMasterMessage, parseWorkerMessage } from '../../src/message-schemas.ts'
import type { MasterMessage, WorkerMessage } from '../../src/messages.ts'

const messages: readonly WorkerMessage[] = [
  { kind: 'want-sockets' },
  { kind: 'ready', bootMs: 12.5, interface: 'tsgi' },
  { kind: 'failed', exitCode: 3, message: 'kein Weg: ümlaut', stack: 'Error\n  at x' },
  { kind: 'bye' },
]

interface Heard {
  readonly messages: unknown[]
  readonly closes: (Error | undefined)[]
}

function listen(input: Duplex, parse: (value: unknown) => unknown = parseWorkerMessage): Heard {
  const heard: Heard = { messages: [], closes: [] }
  new MessageChannel(input, parse, {
    message: (message) => heard.messages.push(message),
    close: (error) => heard.closes.push(error),
  })
  return heard
}

test('what is sent after the end is lost, and whoever waits for it to leave is told', async () => {
  const stream = new PassThrough()
  const ended = new Promise<void>((resolve) => {
    const channel = new MessageChannel<WorkerMessage, WorkerMessage>(stream, parseWorkerMessage, {
      message: () => undefined,
      close: () => channel.send({ kind: 'bye' }, resolve),
    })
  })
  stream.destroy()
  await ended
})

async function hear(chunks: readonly Uint8Array[], ends: 'ends' | 'stays' = 'stays'): Promise<Heard> {
  const input = new PassThrough()
  const heard = listen(Duplex.from({ readable: input, writable: new PassThrough() }))
  for (const chunk of chunks) input.write(chunk)
  if (ends === 'ends') input.end()
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  return heard
}

test('messages are the same however the bytes are cut', async () => {
  const bytes = Buffer.concat(messages.map(encodeFrame))
  for (let size = 1; size <= bytes.length; size += 1) {
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
    expect((await hear(chunks)).messages).toEqual(messages)
  }
})

test.each([
  ['a length above the limit', [Buffer.from([0xff, 0xff, 0xff, 0xff])], 'at most'],
  ['bytes that are no MessagePack', [Buffer.from([0, 0, 0, 2, 0xd9, 5])], 'no MessagePack'],
  ['a message of a kind that does not exist', [encodeFrame({ kind: 'launch' })], 'unknown message'],
  ['a message with a field too many', [encodeFrame({ kind: 'bye', more: 1 })], 'unknown message'],
  ['a message with a value of the wrong type', [encodeFrame({ kind: 'retire', why: 7 })], 'unknown message'],
])('%s ends the conversation with a reason', async (_name, chunks, reason) => {
  const heard = await hear(chunks)
  expect(heard.messages).toEqual([])
  expect(heard.closes.map((error) => error?.message)).toEqual([expect.stringContaining(reason)])
})

test('what came whole before the garbage is heard, and nothing after it', async () => {
  const heard = await hear([
    Buffer.concat([encodeFrame({ kind: 'bye' }), encodeFrame('garbage'), encodeFrame({ kind: 'bye' })]),
  ])
  expect(heard.messages).toEqual([{ kind: 'bye' }])
  expect(heard.closes).toHaveLength(1)
})

test('an end between messages is no error, an end within one is', async () => {
  expect((await hear([encodeFrame({ kind: 'bye' })], 'ends')).closes).toEqual([undefined])
  const cut = await hear([encodeFrame({ kind: 'bye' }).subarray(0, 6)], 'ends')
  expect(asError(cut.closes[0]).message).toContain('in the middle')
})

test('a boot message keeps its options, undefined ones too', () => {
  const boot: MasterMessage = {
    kind: 'boot',
    boot: {
      slot: 1,
      generation: 2,
      application: '/srv/app.ts',
      options: { workers: 2, user: undefined, uwsgi: ['unix:/run/a.sock'] },
      listeners: [{ protocol: 'uwsgi', address: 'unix:/run/a.sock', transport: 'unix' }],
    },
  }
  const input = new PassThrough()
  const heard = listen(input, parseMasterMessage)
  input.write(encodeFrame(boot))
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => expect(heard.messages).toEqual([boot]))
})

test('a message longer than a frame is refused where it is sent', () => {
  expect(() => encodeFrame('x'.repeat(MAX_FRAME_BYTES))).toThrow('at most')
})

test('random bytes never do more than end the conversation', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), async (chunks) => {
      const heard = await hear(chunks)
      expect(heard.closes.length).toBeLessThanOrEqual(1)
    }),
    { seed: 20_261, numRuns: 500 },
  )
})
