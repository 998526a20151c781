/** T92 to T98: the life of a request, and the extensions. */

import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { expectPlainError, messages } from '../gateway.ts'
import type { Case } from './case.ts'
import { failures } from './expect-broken.ts'

const FILE = readFileSync(new URL('../fixtures/hundred.txt', import.meta.url), 'latin1')
let gates = 0

export const lifeCases: readonly Case[] = [
  {
    name: 'T92 when the client leaves, the signal is aborted at once, and nothing is logged as an error',
    run: async (gateway) => {
      const gate = `signal-${++gates}`
      const { conversation, id } = gateway.open({ path: `/waits-for-signal?gate=${gate}` })
      await gateway.ask(`/gate/reached?gate=${gate}`)
      const leftMs = Date.now()
      conversation.leave()
      const { msg } = await gateway.saying(id, /^aborted at/)
      const [, at, reason] = /^aborted at (\d+): (.*)$/.exec(String(msg)) ?? []
      expect(reason).toBe('TSGI_CLIENT_DISCONNECTED ClientDisconnected')
      expect(Number(at) - leftMs).toBeLessThan(200)
      expect(await gateway.over(id)).toEqual({ status: 0, bytes: 0, aborted: true, error: 'TSGI_CLIENT_DISCONNECTED' })
      expect(messages(gateway.said(id))).toHaveLength(1)
    },
  },
  {
    name: 'T93 the signal is not aborted after success; after a failure it is, with the failure',
    run: async (gateway) => {
      for (const path of ['/signal-after', '/signal-after?early']) {
        const { id, text } = await gateway.ask(path)
        expect(text).toBe('fine')
        await gateway.over(id)
        expect(messages(gateway.said(id))).toEqual(['signal aborted false'])
      }
      const { id } = await gateway.ask('/signal-of-failure')
      await gateway.over(id)
      expect(messages(gateway.said(id))).toContain('reason RangeError')
    },
  },
  {
    name: 'T94 callbacks run after close, the last registered first, each for itself',
    run: async (gateway) => {
      const { id, text } = await gateway.ask('/after')
      expect(text).toBe('after')
      await gateway.over(id)
      const said = gateway.said(id)
      expect(said.map(({ msg, err }) => (err === undefined ? msg : Object(err).message))).toEqual([
        'closed',
        'fourth registered',
        'third registered',
        'second registered: 200 5 false',
        'first registered',
      ])
      const gate = `after-${++gates}`
      const slow = await gateway.ask(`/slow-after?gate=${gate}`)
      expect(slow, 'the client does not wait for them').toMatchObject({ text: 'answered', problem: undefined })
      await gateway.ask(`/gate/open?gate=${gate}`)
      await gateway.over(slow.id)
      expect(messages(gateway.said(slow.id))).toEqual(['after the gate'])
    },
  },
  {
    name: 'T95 a wrapped file with every kind of Content-Length',
    run: async (gateway) => {
      for (const kind of ['path', 'reader']) {
        const body = kind === 'path' ? FILE : 'r'.repeat(100)
        const none = await gateway.ask(`/file?kind=${kind}`)
        expect(none, kind).toMatchObject({ status: 200, text: body, problem: undefined })
        expect(none.headerAll('Content-Length'), kind).toEqual(kind === 'path' ? ['100'] : [])
        const exact = await gateway.ask(`/file?kind=${kind}&length=100`)
        expect(exact, kind).toMatchObject({ status: 200, text: body, problem: undefined })
        const short = await gateway.ask(`/file?kind=${kind}&length=40`)
        expect(short, kind).toMatchObject({ status: 200, text: body.slice(0, 40), problem: undefined })
        const long = await gateway.ask(`/file?kind=${kind}&length=400`)
        expect(long.problem, kind).toBeDefined()
        expect(await gateway.over(long.id)).toMatchObject({ aborted: true, error: 'TSGI_APP_TOO_SHORT' })
        for (const { id } of [none, exact, short, long]) {
          await gateway.over(id)
          const closed = messages(gateway.said(id)).filter((message) => message === 'reader closed')
          expect(closed, kind).toHaveLength(kind === 'reader' ? 1 : 0)
        }
      }
      const head = await gateway.ask({ path: '/file', method: 'HEAD' })
      expect(head.headerAll('Content-Length')).toEqual(['100'])
      expect(head.text).toBe('')
      const missing = await gateway.ask('/file?kind=missing')
      expectPlainError(missing)
      await gateway.over(missing.id)
      expect(failures(gateway, missing.id)).toMatchObject([{ err: { code: 'ENOENT' } }])
    },
  },
  {
    name: 'T96 a range of a file, and a file within a middleware',
    run: async (gateway) => {
      const ranges: [string, string][] = [
        ['start=10&end=30', FILE.slice(10, 30)],
        ['start=90', FILE.slice(90)],
        ['end=5', FILE.slice(0, 5)],
        ['start=95&end=200', FILE.slice(95)],
        ['start=50&end=50', ''],
        ['start=200', ''],
      ]
      for (const [query, expected] of ranges) {
        for (const block of [1, 7, 64]) {
          const answer = await gateway.ask(`/file?${query}&block=${block}`)
          expect(answer, query).toMatchObject({ status: 200, text: expected, problem: undefined })
          expect(answer.headerAll('Content-Length'), query).toEqual([String(expected.length)])
        }
      }
      const wrapped = await gateway.ask('/file?wrapped')
      expect(wrapped).toMatchObject({ text: FILE.toLowerCase(), problem: undefined })
      expect(wrapped.headerAll('Content-Length'), 'what a middleware changes has no known length').toEqual([])
    },
  },
  {
    name: 'T97 the error stream takes any text, by lines, and the rest at the end',
    run: async (gateway) => {
      const { id } = await gateway.ask('/errors')
      await gateway.over(id)
      // The line without an end comes last: it is ended by the request.
      expect(messages(gateway.said(id)).slice(0, 4)).toEqual([
        'a smile \u{1f600} and half \ufffd of one',
        'in \u{1f600} pieces',
        'second line',
        'third',
      ])
      await gateway.saying(id, /never terminated/)
    },
  },
  {
    name: 'T97 the log calls a request by its REQUEST_ID where that could forge nothing',
    run: async (gateway) => {
      const idOf = async (REQUEST_ID: string): Promise<unknown> => {
        const before = gateway.records().length
        await gateway.ask({ path: '/called', params: { REQUEST_ID } })
        return (await gateway.logged(/^called$/, before))['requestId']
      }
      for (const id of ['x'.repeat(128), 'A-Z.a_z-0.9', '7']) expect(await idOf(id)).toBe(id)
      for (const id of ['', 'x'.repeat(129), 'two words', 'a\tb', 'line\n', 'a"b', 'a/b', 'a,b', 'caf\xe9']) {
        expect(await idOf(id), JSON.stringify(id)).toMatch(/^\w+-\w+-\w+$/)
      }
    },
  },
  {
    name: 'T98 slow requests overlap',
    run: async (gateway) => {
      const gate = `overlap-${++gates}`
      const both = [1, 2].map(() => gateway.open({ path: `/overlapping?gate=${gate}` }))
      for (let left = both.length; left > 0; left -= 1) await gateway.ask('/hello')
      await gateway.ask(`/gate/open?gate=${gate}`)
      for (const { conversation } of both) {
        const { mostRunning, concurrent } = JSON.parse((await conversation.answer()).text)
        expect(mostRunning).toBeGreaterThanOrEqual(2)
        expect(concurrent).toBe(true)
      }
    },
  },
  {
    name: 'T98 what a request stores in its async context, the next ones do not find',
    run: async (gateway) => {
      for (let times = 3; times > 0; times -= 1) expect((await gateway.ask('/stores')).text).toBe('"nothing stored"')
    },
  },
  {
    name: 'T100 no gateway protocol carries early hints: the key is absent',
    run: async (gateway) => {
      expect(JSON.parse((await gateway.ask('/hints')).text)).toEqual({ present: false })
    },
  },
]
