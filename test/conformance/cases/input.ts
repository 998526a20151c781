/** T82 to T90: the request body (PEP 3333, "Input and Error Streams"). */

import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { type Gateway, messages } from '../gateway.ts'
import type { Case } from './case.ts'
import { failures } from './expect-broken.ts'

let gates = 0
const sumOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 7 + seed) % 251
  return bytes
}

/** The log of a worker is in order: what an earlier request had to say at once was said before the end of this one. */
async function settleLog(gateway: Gateway): Promise<void> {
  await gateway.over((await gateway.ask('/hello')).id)
}

async function readBy(gateway: Gateway, body: string | undefined, calls: string): Promise<unknown> {
  const answer = await gateway.ask({
    path: `/read?calls=${calls}`,
    method: 'POST',
    ...(body !== undefined && { body }),
  })
  expect(answer.status, answer.text).toBe(200)
  return JSON.parse(answer.text)
}

export const inputCases: readonly Case[] = [
  {
    name: 'T82 read() gives all of the body, and nothing where there is none',
    run: async (gateway) => {
      expect(await readBy(gateway, 'a\nb\r\n\nc', 'read')).toEqual(['a\nb\r\n\nc'])
      expect(await readBy(gateway, undefined, 'read,read:5,readline,readlines')).toEqual(['', '', '', []])
      expect(await readBy(gateway, '', 'read')).toEqual([''])
    },
  },
  {
    name: 'T83 T84 sized reads, and reads at the end',
    run: async (gateway) => {
      expect(await readBy(gateway, '0123456789abcdef', 'read:10,read')).toEqual(['0123456789', 'abcdef'])
      expect(
        await readBy(gateway, 'The quick brown fox jumps over the dog', 'read:7,read:7,read:7,read:7,read:7,read:7'),
      ).toEqual(['The qui', 'ck brow', 'n fox j', 'umps ov', 'er the ', 'dog'])
      expect(await readBy(gateway, '0123456789', 'read:15,read,read:3')).toEqual(['0123456789', '', ''])
      expect(await readBy(gateway, 'abc', 'read:0,read,read:0')).toEqual(['', 'abc', ''])
    },
  },
  {
    name: 'T85 readline and readlines',
    run: async (gateway) => {
      expect(await readBy(gateway, 'one\ntwo\n\nfour', 'readline,readline,readline,readline,readline')).toEqual([
        'one\n',
        'two\n',
        '\n',
        'four',
        '',
      ])
      expect(await readBy(gateway, 'abcdefgh\nij', 'readline:5,readline:5,readline:1,readlines')).toEqual([
        'abcde',
        'fgh\n',
        'i',
        ['j'],
      ])
      expect(await readBy(gateway, 'one\ntwo\nthree\n', 'readlines:1,readlines')).toEqual([
        ['one\n'],
        ['two\n', 'three\n'],
      ])
    },
  },
  {
    name: 'T86 8 MiB arrive whole, in many pieces',
    run: async (gateway) => {
      const body = pattern(8 * 1024 * 1024, 3)
      const answer = await gateway.ask({ path: '/sum', method: 'POST', body })
      expect(JSON.parse(answer.text)).toEqual({ bytes: body.length, sha256: sumOf(body) })
    },
  },
  {
    name: 'T86 bodies of requests that run at once do not mix',
    run: async (gateway) => {
      const gate = `bodies-${++gates}`
      // Small ones come in one read with their head; the largest takes several.
      const bodies = [10, 1000, 30_000, 60_000, 60_000, 1000, 10, 200_000].map((length, seed) => pattern(length, seed))
      const asked = bodies.map((body) => gateway.open({ path: `/sum?gate=${gate}`, method: 'POST', body }))
      // Each is answered only when all have been accepted: the worker serves in order, and this asks last.
      for (let left = bodies.length; left > 0; left -= 1) await gateway.ask('/hello')
      await gateway.ask(`/gate/open?gate=${gate}`)
      for (const [index, { conversation }] of asked.entries()) {
        const body = bodies[index] ?? Buffer.alloc(0)
        const { text } = await conversation.answer()
        expect(JSON.parse(text), `body ${index}`).toEqual({ bytes: body.length, sha256: sumOf(body) })
      }
    },
  },
  {
    name: 'T87 overlapping reads are answered in order',
    run: async (gateway) => {
      const answer = await gateway.ask({
        path: '/read?at-once&calls=read:5,read:5,readline',
        method: 'POST',
        body: '0123456789ab\nc',
      })
      expect(JSON.parse(answer.text)).toEqual(['01234', '56789', 'ab\n'])
    },
  },
  {
    name: 'T88 a body that ends early rejects, and is logged once',
    run: async (gateway) => {
      for (const how of ['half-close', 'leave'] as const) {
        const half = (pieces: Buffer[]): Buffer[] => {
          const whole = Buffer.concat(pieces)
          return [whole.subarray(0, whole.length - 50_000)]
        }
        const before = gateway.records().length
        const { conversation, id } = gateway.open(
          { path: '/truncated', method: 'POST', body: Buffer.alloc(100_000) },
          half,
        )
        await gateway.saying(id, /^called$/)
        if (how === 'leave') conversation.leave()
        else conversation.endSending()
        await gateway.saying(id, /^rejected TSGI_INPUT_TRUNCATED$/)
        expect(await gateway.over(id)).toMatchObject({ aborted: true })
        expect(messages(gateway.said(id), 'error')).toEqual(['called', 'rejected TSGI_INPUT_TRUNCATED'])
        // Said once in a while for each listener, however many do so.
        if (how === 'half-close') {
          const warning = await gateway.logged(/^the connection ended before the request body did$/, before)
          expect(warning).toMatchObject({ level: 'warn', code: 'TSGI_INPUT_TRUNCATED', requestId: id })
          expect(warning['request']).toBe('POST /truncated')
        }
      }
    },
  },
  {
    name: 'T89 a CONTENT_LENGTH above --max-body is a 413, and the application is not called',
    run: async (gateway) => {
      const params = { CONTENT_LENGTH: String(32 * 1024 * 1024 + 1) }
      const { conversation, id } = gateway.open({ path: '/called', method: 'POST', params })
      await conversation.until('the answer', () => conversation.bodyText === 'Content Too Large\n')
      expect(conversation.head).toMatchObject({ status: 413 })
      conversation.leave()
      await settleLog(gateway)
      expect(messages(gateway.said(id))).not.toContain('called')
      const most = { CONTENT_LENGTH: String(32 * 1024 * 1024) }
      const allowed = gateway.open({ path: '/called', method: 'POST', params: most })
      await allowed.conversation.until('an answer', () => allowed.conversation.bodyText === '"called"')
      allowed.conversation.leave()
      await gateway.over(allowed.id)
      expect(messages(gateway.said(allowed.id))).toContain('called')
    },
  },
  {
    name: 'T90 a CONTENT_LENGTH that is no number is a 400; empty or absent is no body',
    run: async (gateway) => {
      for (const CONTENT_LENGTH of ['abc', '-5', '+5', '5 ', ' 5', '5,5', '0x5', '1e3', '9'.repeat(20)]) {
        const { conversation, id } = gateway.open({ path: '/called', params: { CONTENT_LENGTH } })
        const answer = await conversation.answer()
        // SCGI's CONTENT_LENGTH is part of its framing: what cannot be read cannot be answered.
        if (gateway.row.protocol !== 'scgi' || answer.status !== 0) expect(answer.status, CONTENT_LENGTH).toBe(400)
        await settleLog(gateway)
        expect(messages(gateway.said(id)), CONTENT_LENGTH).not.toContain('called')
      }
      if (gateway.row.protocol === 'scgi') return
      const twice = await gateway.ask({
        path: '/called',
        params: { CONTENT_LENGTH: undefined },
        rawParams: ['CONTENT_LENGTH', '1', 'CONTENT_LENGTH', '2'],
      })
      expect(twice.status).toBe(400)
      await settleLog(gateway)
      expect(messages(gateway.said(twice.id))).not.toContain('called')
      const absent = await gateway.ask({ path: '/read?calls=read', params: { CONTENT_LENGTH: '' } })
      expect(absent.text).toBe('[""]')
    },
  },
  {
    name: 'T91 an answer to a body that is not read arrives, every time',
    run: async (gateway) => {
      for (let times = 20; times > 0; times -= 1) {
        const answer = await gateway.ask({ path: '/unread', method: 'POST', body: Buffer.alloc(8 * 1024 * 1024) })
        expect(answer).toMatchObject({ status: 413, text: '"not wanted"', problem: undefined })
        expect(failures(gateway, answer.id)).toEqual([])
      }
    },
  },
]
