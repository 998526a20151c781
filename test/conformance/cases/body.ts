/** T44 to T69: what comes out, when, and how much (PEP 3333, "Buffering and Streaming", "Handling the Content-Length Header"). */

import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { until } from '../../support/until.ts'
import { BAD_BODIES, BAD_CHUNKS } from '../fixtures/vectors.ts'
import { expectPlainError, type Gateway, messages } from '../gateway.ts'
import type { Case } from './case.ts'
import { expectBroken, failures } from './expect-broken.ts'

const FORMS = [
  'array',
  'set',
  'generator',
  'async',
  'promise-array',
  'promise-async',
  'thenable',
  'readable',
  'buffers',
  'web',
]
const LENGTH_KNOWN = ['array', 'buffers', 'promise-array', 'thenable']
let gates = 0
const newGate = (): string => `gate-${++gates}`

const openGate = async (gateway: Gateway, gate: string): Promise<void> => {
  expect((await gateway.ask(`/gate/open?gate=${gate}`)).status).toBe(200)
}
const gateReached = async (gateway: Gateway, gate: string): Promise<void> => {
  expect((await gateway.ask(`/gate/reached?gate=${gate}`)).status).toBe(200)
}

/** A number that has stopped growing: the same twice, with other requests served in between. */
async function settledPulls(gateway: Gateway, count: string): Promise<number> {
  let last = -1
  return until('the pulls stop', async () => {
    const now = Number((await gateway.ask(`/pulls?count=${count}`)).text)
    if (now > 0 && now === last) return now
    last = now
    return undefined
  })
}

export const bodyCases: readonly Case[] = [
  {
    name: 'T44 T46 every form of a body gives the same bytes in order',
    run: async (gateway) => {
      for (const kind of FORMS) {
        const answer = await gateway.ask(`/body?kind=${kind}`)
        expect(answer, kind).toMatchObject({ status: 200, text: 'abcdef', problem: undefined })
        const added = answer.headerAll('Content-Length')
        expect(added, kind).toEqual(LENGTH_KNOWN.includes(kind) ? ['6'] : [])
      }
    },
  },
  {
    name: 'T46 a file stream is a body, and is closed',
    run: async (gateway) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await gateway.ask({ path: '/file-stream', method })
        expect(answer.body).toHaveLength(method === 'GET' ? 100 : 0)
        expect(answer.problem).toBeUndefined()
        await gateway.over(answer.id)
        await gateway.saying(answer.id, /^the file is closed$/)
        expect(gateway.said(answer.id)).toHaveLength(1)
      }
    },
  },
  {
    name: 'T45 an empty body is a head and nothing else',
    run: async (gateway) => {
      for (const kind of FORMS) {
        const answer = await gateway.ask(`/empty?kind=${kind}`)
        expect(answer, kind).toMatchObject({ status: 200, text: '', problem: undefined })
        expect(answer.headerAll('Content-Type'), kind).toHaveLength(1)
      }
    },
  },
  {
    name: 'T47 nothing goes out before the first chunk that is not empty',
    run: async (gateway) => {
      const gate = newGate()
      const { conversation } = gateway.open({ path: `/held-empties?gate=${gate}` })
      await gateReached(gateway, gate)
      expect(conversation.rawBytes).toBe(0)
      await openGate(gateway, gate)
      expect(await conversation.answer()).toMatchObject({ status: 200, text: 'after the wait' })
    },
  },
  {
    name: 'T48 empty chunks and then a throw are a clean 500',
    run: async (gateway) => {
      const answer = await gateway.ask('/empties-then-throw')
      expectPlainError(answer)
      expect(await gateway.over(answer.id)).toMatchObject({ status: 500, aborted: false })
      expect(failures(gateway, answer.id)).toHaveLength(1)
    },
  },
  {
    name: 'T49 a chunk reaches the client while the application waits before the next',
    run: async (gateway) => {
      const gate = newGate()
      const { conversation } = gateway.open({ path: `/gated?gate=${gate}` })
      await conversation.until('the first chunk', () => conversation.bodyText === 'one ')
      await openGate(gateway, gate)
      expect((await conversation.answer()).text).toBe('one two')
    },
  },
  {
    name: 'T50 a reader that stops is a generator that stops, and is closed when the reader leaves',
    run: async (gateway) => {
      for (const kind of ['sync', 'async']) {
        const count = newGate()
        const { conversation, id } = gateway.open({ path: `/endless?kind=${kind}&count=${count}` })
        await conversation.until('some of it', () => conversation.bodyBytes > 0)
        conversation.stopReading()
        const pulled = await settledPulls(gateway, count)
        expect(pulled, kind).toBeLessThan(200)
        conversation.leave()
        expect(await gateway.over(id)).toMatchObject({ status: 200, aborted: true, error: 'TSGI_CLIENT_DISCONNECTED' })
        expect(Number((await gateway.ask(`/pulls?count=${count}`)).text), 'pulls after leaving').toBeLessThan(
          pulled + 3,
        )
        expect(messages(gateway.said(id)), kind).toEqual(['returned', expect.stringMatching(/^closed after/)])
      }
    },
  },
  {
    name: 'T50 a write waits for a reader that stops, and rejects when the reader leaves',
    run: async (gateway) => {
      const count = newGate()
      const { conversation, id } = gateway.open({ path: `/writes-on?count=${count}` })
      await conversation.until('some of it', () => conversation.bodyBytes > 0)
      conversation.stopReading()
      expect(await settledPulls(gateway, count)).toBeLessThan(200)
      conversation.leave()
      await gateway.saying(id, /^write/)
      expect(await gateway.over(id)).toMatchObject({ status: 200, aborted: true, error: 'TSGI_CLIENT_DISCONNECTED' })
      expect(messages(gateway.said(id))).toEqual(['write that waited rejected TSGI_CLIENT_DISCONNECTED'])
    },
  },
  {
    name: 'T51 a body that never waits lets other requests have the worker meanwhile',
    run: async (gateway) => {
      for (const kind of ['sync', 'async']) {
        for (const size of [0, 1, 10_000]) {
          const count = newGate()
          const { conversation } = gateway.open({ path: `/until-stopped?kind=${kind}&size=${size}&count=${count}` })
          await conversation.until('its beginning', () => conversation.bodyText.startsWith('begun'))
          expect((await gateway.ask(`/stop?count=${count}`)).status).toBe(200)
          expect(await conversation.answer(), `${kind} ${size}`).toMatchObject({ status: 200, problem: undefined })
        }
      }
    },
  },
  {
    name: 'T51 many small chunks and one of 16 MiB arrive whole',
    run: async (gateway) => {
      const expected = Array.from({ length: 100 }, (_, index) => `${index},`).join('')
      for (const kind of ['array', 'generator', 'async']) {
        expect((await gateway.ask(`/many-chunks?kind=${kind}`)).text, kind).toBe(expected)
      }
      const bytes = Buffer.alloc(16 * 1024 * 1024)
      for (let index = 0; index < bytes.length; index += 1) bytes[index] = index % 251
      const { body, problem } = await gateway.ask('/big-chunk')
      expect(problem).toBeUndefined()
      const sum = (of: Buffer): string => createHash('sha256').update(of).digest('hex')
      expect(sum(body)).toBe(sum(bytes))
    },
  },
  {
    name: 'T52 bytes are not changed',
    run: async (gateway) => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
      const expected = Buffer.concat([all, Buffer.from('\r\n\r\n\n\r'), all])
      for (const kind of ['array', 'async']) {
        expect((await gateway.ask(`/all-bytes?kind=${kind}`)).body.equals(expected), kind).toBe(true)
      }
    },
  },
  {
    name: 'T53 what is written comes before what is yielded',
    run: async (gateway) => {
      for (const path of ['/writes', '/writes?awaited']) expect((await gateway.ask(path)).text).toBe('w1 w2 y1 y2')
    },
  },
  {
    name: 'T54 writing nothing sends the head',
    run: async (gateway) => {
      const gate = newGate()
      const { conversation } = gateway.open({ path: `/flush?gate=${gate}` })
      await conversation.until('the head', () => conversation.head !== undefined)
      expect(conversation.head?.headers).toEqual([['X-Early', 'yes']])
      expect(conversation.bodyBytes).toBe(0)
      await openGate(gateway, gate)
      expect((await conversation.answer()).text).toBe('late body')
    },
  },
  {
    name: 'T55 write inside the iterable is an error',
    run: async (gateway) => {
      const first = await gateway.ask('/write-in-body')
      expectPlainError(first)
      expect(first.text).not.toContain('written')
      const later = await gateway.ask('/write-in-body?later')
      expect(later).toMatchObject({ status: 200, text: 'begun ' })
      expectBroken(gateway.row, later)
      for (const { id } of [first, later]) {
        await gateway.over(id)
        expect(failures(gateway, id)).toMatchObject([{ err: { code: 'TSGI_APP_WRITE_IN_BODY' } }])
        expect(messages(gateway.said(id)).filter((message) => message.startsWith('closed'))).toHaveLength(1)
      }
    },
  },
  {
    name: 'T56 writes after the client left, not awaited, harm nobody',
    run: async (gateway) => {
      const pid = await gateway.workerPid()
      const { conversation, id } = gateway.open({ path: '/writes-after-leaving' })
      await conversation.until('the first write', () => conversation.bodyText === 'begun')
      conversation.leave()
      await gateway.saying(id, /^write rejected TSGI_CLIENT_DISCONNECTED$/)
      await gateway.over(id)
      expect(failures(gateway, id)).toEqual([])
      expect(await gateway.workerPid()).toBe(pid)
    },
  },
  {
    name: 'T57 what is no iterable of bytes is a 500',
    run: async (gateway) => {
      for (const [n, { what }] of BAD_BODIES.entries()) {
        const answer = await gateway.ask(`/bad-body?n=${n}`)
        expectPlainError(answer)
        await gateway.over(answer.id)
        expect(failures(gateway, answer.id), what).toMatchObject([{ err: { code: 'TSGI_APP_BAD_BODY' } }])
      }
    },
  },
  {
    name: 'T58 a chunk that is no Uint8Array is a 500 at first, and breaks the response off midway',
    run: async (gateway) => {
      for (const [n, { what }] of BAD_CHUNKS.entries()) {
        for (const where of ['first', 'midway', 'array']) {
          const answer = await gateway.ask(`/bad-chunk?n=${n}&where=${where}`)
          await gateway.over(answer.id)
          expect(failures(gateway, answer.id), what).toMatchObject([{ err: { code: 'TSGI_APP_BAD_CHUNK' } }])
          if (where !== 'midway') expectPlainError(answer)
          else {
            expect(answer, what).toMatchObject({ status: 200, text: 'begun ' })
            expectBroken(gateway.row, answer)
          }
          if (where === 'array') continue
          expect(messages(gateway.said(answer.id), 'error').slice(-2)).toEqual([
            'returned',
            `closed after ${where === 'first' ? 1 : 2} pulls`,
          ])
        }
      }
      const { id } = await gateway.ask('/bad-chunk-finally')
      await gateway.over(id)
      expect(messages(gateway.said(id))).toContain('finally')
    },
  },
  {
    name: 'T59 an application that never calls startResponse gets a 500',
    run: async (gateway) => {
      for (const kind of FORMS) {
        for (const query of [`kind=${kind}`, `kind=${kind}&chunk`]) {
          const answer = await gateway.ask(`/never-starts?${query}`)
          expectPlainError(answer)
          await gateway.over(answer.id)
          expect(failures(gateway, answer.id), query).toMatchObject([{ err: { code: 'TSGI_APP_NOT_STARTED' } }])
        }
      }
    },
  },
]
