/** T70 to T81: failures and closing (PEP 3333, "Error Handling"; the closing protocol of a body). */

import { expect } from 'vitest'
import { MISBEHAVIOURS, UNCLOSABLE } from '../fixtures/failure-routes.ts'
import { ODD_THROWS } from '../fixtures/vectors.ts'
import { type Ask, expectPlainError, type Gateway, messages } from '../gateway.ts'
import type { Case } from './case.ts'
import { expectBroken, failures } from './expect-broken.ts'

const SECRET = 'the secret of this failure'
const MIDWAY = ['generator', 'async', 'write']
const THROWS = ['throw', 'rejection', 'late-rejection', 'iterator', 'first-pull']
let gates = 0

/** One log line with the stack and the request, and nothing of it to the client. */
async function expectFailedOnce(gateway: Gateway, id: string, message: string): Promise<void> {
  await gateway.over(id)
  expect(failures(gateway, id)).toHaveLength(1)
  const [failure] = failures(gateway, id)
  expect(failure).toMatchObject({ level: 'error', requestId: id, request: expect.stringMatching(/^GET \//) })
  expect(failure).toMatchObject({ err: { message, stack: expect.stringContaining('failure-routes') } })
}

/** What an application does that breaks: every one is followed by a request that must be served. */
const BREAKING: readonly (string | Ask)[] = [
  ...THROWS.map((by) => `/throws?by=${by}`),
  ...MIDWAY.map((by) => `/throws-midway?by=${by}`),
  ...ODD_THROWS.map((_, n) => `/odd-throw?n=${n}`),
  '/closes?end=error',
  '/closes?end=bad-chunk',
  { path: '/closes', method: 'HEAD' },
  '/close-throws',
  '/close-throws?async',
  '/finally?end=throw',
  '/readable-fails?chunks=1',
]

export const failureCases: readonly Case[] = [
  {
    name: 'T70 a throw before startResponse is a 500 with a fixed text',
    run: async (gateway) => {
      for (const by of THROWS.slice(0, 3)) {
        const answer = await gateway.ask(`/throws?by=${by}`)
        expectPlainError(answer)
        expect(answer.raw.includes('secret')).toBe(false)
        await expectFailedOnce(gateway, answer.id, SECRET)
      }
    },
  },
  {
    name: 'T70 a HEAD that fails has the head of that 500 and no byte of its text',
    run: async (gateway) => {
      for (const path of ['/throws', '/throws?started&by=first-pull', '/bad-body?n=0']) {
        const get = await gateway.ask(path)
        const head = await gateway.ask({ path, method: 'HEAD' })
        expectPlainError(get)
        expect(head, path).toMatchObject({ status: 500, headers: get.headers, text: '', problem: undefined })
        expect(await gateway.over(head.id), path).toMatchObject({ status: 500, bytes: 0, aborted: false })
      }
    },
  },
  {
    name: 'T71 a throw after startResponse and before output is a 500',
    run: async (gateway) => {
      for (const by of THROWS) {
        const answer = await gateway.ask(`/throws?started&by=${by}`)
        expectPlainError(answer)
        await expectFailedOnce(gateway, answer.id, SECRET)
      }
    },
  },
  {
    name: 'T72 a throw after output adds nothing, and the response is not completed',
    run: async (gateway) => {
      for (const by of MIDWAY) {
        const plain = await gateway.ask(`/throws-midway?by=${by}`)
        expect(plain, by).toMatchObject({ status: 200, text: 'begun and going' })
        expectBroken(gateway.row, plain)
        await expectFailedOnce(gateway, plain.id, SECRET)
        expect(await gateway.over(plain.id)).toMatchObject({ status: 200, bytes: 15, aborted: true })
        const announced = await gateway.ask(`/throws-midway?by=${by}&length=100`)
        expect(announced, by).toMatchObject({ status: 200, text: 'begun and going' })
        expect(announced.problem, by).toBeDefined()
      }
    },
  },
  {
    name: 'T74 whatever is thrown is a 500, and logged',
    run: async (gateway) => {
      for (const [n, { what }] of ODD_THROWS.entries()) {
        for (const query of [`n=${n}`, `n=${n}&started`]) {
          const answer = await gateway.ask(`/odd-throw?${query}`)
          expectPlainError(answer)
          await gateway.over(answer.id)
          expect(failures(gateway, answer.id), what).toHaveLength(1)
        }
      }
    },
  },
  {
    name: 'T75 a body is closed once, however it ends',
    run: async (gateway) => {
      const ends: [Ask, string[]][] = [
        [{ path: '/closes?end=success' }, ['closed after 3 pulls']],
        [{ path: '/closes?end=error' }, ['closed after 3 pulls']],
        [{ path: '/closes?end=error-first' }, ['closed after 1 pulls']],
        [{ path: '/closes?end=bad-chunk' }, ['returned', 'closed after 3 pulls']],
        [{ path: '/closes?end=short' }, ['closed after 3 pulls']],
        [{ path: '/closes?end=success', method: 'HEAD' }, ['returned', 'closed after 1 pulls']],
      ]
      for (const [ask, steps] of ends) {
        const { id } = await gateway.ask(ask)
        await gateway.over(id)
        const said = messages(gateway.said(id)).filter((message) => /^(closed|returned)/.test(message))
        expect(said, ask.path).toEqual(steps)
      }
      const { conversation, id } = gateway.open({ path: '/closes?end=gone' })
      await conversation.until('some of it', () => conversation.bodyBytes > 3)
      conversation.leave()
      expect(await gateway.over(id)).toMatchObject({ aborted: true, error: 'TSGI_CLIENT_DISCONNECTED' })
      expect(messages(gateway.said(id))).toEqual(['returned', 'closed, aborted true'])
    },
  },
  {
    name: 'T75 the signal of a request that ends before its body is aborted by the time the body is closed',
    run: async (gateway) => {
      const closing = ['returned, aborted true', 'closed, aborted true']
      for (const [end, steps] of [
        ['success', ['closed, aborted false']],
        ['error', closing.slice(1)],
        ['bad-chunk', closing],
        ['short', closing.slice(1)],
      ] as const) {
        const { id } = await gateway.ask(`/closes-with-signal?end=${end}`)
        await gateway.over(id)
        const said = messages(gateway.said(id)).filter((message) => /^(closed|returned)/.test(message))
        expect(said, end).toEqual(steps)
      }
      const { conversation, id } = gateway.open({ path: '/closes-with-signal?end=gone' })
      await conversation.until('some of it', () => conversation.bodyBytes > 0)
      conversation.leave()
      expect(await gateway.over(id)).toMatchObject({ aborted: true, error: 'TSGI_CLIENT_DISCONNECTED' })
      expect(messages(gateway.said(id))).toEqual(closing)
    },
  },
  {
    name: 'T75 the first closing method that exists is called, and no other',
    run: async (gateway) => {
      const order = ['close', 'asyncDispose', 'dispose', 'destroy', 'cancel']
      for (const [at, name] of order.entries()) {
        const names = order.slice(at).join(',')
        const iterated = await gateway.ask(`/closing-methods?iterator&names=${names}`)
        await gateway.over(iterated.id)
        // cancel is for what was never iterated: a ReadableStream whose iterator was ended is cancelled by that.
        expect(messages(gateway.said(iterated.id)), names).toEqual(name === 'cancel' ? [] : [`called ${name}`])
        const { id } = await gateway.ask(`/closing-methods?names=${names}`)
        await gateway.over(id)
        const said = messages(gateway.said(id)).filter((message) => message.startsWith('called'))
        expect(said, `${names}, not iterated`).toEqual([`called ${name}`])
      }
    },
  },
  {
    name: 'T76 a close that throws leaves the response as it was, and is logged',
    run: async (gateway) => {
      for (const path of ['/close-throws', '/close-throws?async']) {
        const answer = await gateway.ask(path)
        expect(answer).toMatchObject({ status: 200, text: 'intact', problem: undefined })
        expect(await gateway.over(answer.id)).toEqual({ status: 200, bytes: 6, aborted: false })
        expect(gateway.said(answer.id)).toMatchObject([{ level: 'warn', err: { message: SECRET } }])
      }
    },
  },
  {
    name: 'T76 whatever a close or a callback throws is logged, and nothing else',
    run: async (gateway) => {
      for (const [n, { what }] of ODD_THROWS.entries()) {
        const answer = await gateway.ask(`/odd-throws-later?n=${n}`)
        expect(answer, what).toMatchObject({ status: 200, text: 'intact', problem: undefined })
        expect(await gateway.over(answer.id), what).toEqual({ status: 200, bytes: 6, aborted: false })
        expect(failures(gateway, answer.id), what).toEqual([])
        expect(messages(gateway.said(answer.id)), what).toEqual([
          // Undefined is also what went wrong before: nothing.
          ...(what === 'undefined' ? [] : ['an error while the response body was closed']),
          'an error in a tsgi.after callback',
        ])
      }
    },
  },
  {
    name: 'T77 finally runs at the end, at a throw and at an early stop',
    run: async (gateway) => {
      const asks: Ask[] = [
        { path: '/finally?end=end' },
        { path: '/finally?end=throw' },
        { path: '/finally?end=cut' },
        { path: '/finally', method: 'HEAD' },
      ]
      for (const ask of asks) {
        const { id } = await gateway.ask(ask)
        await gateway.over(id)
        const said = messages(gateway.said(id)).filter((message) => message === 'finally')
        expect(said, JSON.stringify(ask)).toHaveLength(1)
      }
    },
  },
  {
    name: 'T78 a body returned after the client has gone is closed without having been read',
    run: async (gateway) => {
      for (const [kind, step] of [
        ['readable', 'destroyed true'],
        ['watched', 'closed after 0 pulls'],
      ]) {
        const gate = `late-${++gates}`
        const { conversation, id } = gateway.open({ path: `/late-body?kind=${kind}&gate=${gate}` })
        await gateway.ask(`/gate/reached?gate=${gate}`)
        conversation.leave()
        await gateway.over(id)
        await gateway.saying(id, new RegExp(`^${step}$`))
        expect(failures(gateway, id)).toEqual([])
      }
    },
  },
  {
    name: 'T79 a generator that hangs is given up when the client has gone',
    run: async (gateway) => {
      const { conversation, id } = gateway.open({ path: '/hung' })
      await gateway.saying(id, /^hanging$/)
      conversation.leave()
      // --close-timeout of this tsgi is half a second.
      expect(await gateway.over(id)).toMatchObject({ aborted: true })
      expect(gateway.said(id)).toMatchObject([
        { msg: 'hanging' },
        { err: { message: expect.stringMatching(/within 500 ms/) } },
      ])
    },
  },
  {
    name: 'T80 a failure is logged once, whichever way it takes',
    run: async (gateway) => {
      const paths = [
        '/throws',
        '/throws?started&by=iterator',
        '/throws-midway?by=generator',
        '/throws-midway?by=async',
        '/throws-midway?by=write',
        '/readable-fails?chunks=0',
        '/readable-fails?chunks=2',
        '/finally?end=throw',
      ]
      for (const path of paths) {
        const { id } = await gateway.ask(path)
        await gateway.over(id)
        const said = gateway.said(id).filter(({ err }) => err !== undefined)
        expect(said, path).toHaveLength(1)
        expect(said[0], path).toMatchObject({ level: 'error', err: { message: SECRET } })
      }
      const handled = await gateway.ask('/handles')
      expect(handled, 'an error that the application answers is its own').toMatchObject({
        status: 500,
        reason: 'Handled',
      })
      await gateway.over(handled.id)
      expect(gateway.said(handled.id)).toEqual([])
    },
  },
  {
    name: 'T80 a body that breaks what iterables promise is a 500, or is abandoned, and is logged once',
    run: async (gateway) => {
      for (const how of Object.keys(MISBEHAVIOURS)) {
        const answer = await gateway.ask(`/misbehaves?how=${how}`)
        expect(answer.status, how).toBe(500)
        expectPlainError(answer)
        await gateway.over(answer.id)
        expect(failures(gateway, answer.id), how).toHaveLength(1)
      }
      for (const how of Object.keys(UNCLOSABLE)) {
        const answer = await gateway.ask(`/misbehaves?how=${how}`)
        expect(answer, how).toMatchObject({ status: 200, text: 'intact', problem: undefined })
        await gateway.over(answer.id)
        expect(gateway.said(answer.id), how).toMatchObject([{ level: 'warn', err: { message: SECRET } }])
      }
    },
  },
  {
    name: 'T81 after every failure the next request is served, by the same worker',
    run: async (gateway) => {
      const pid = await gateway.workerPid()
      for (const breaking of BREAKING) {
        await gateway.ask(breaking)
        expect((await gateway.ask('/hello')).text, JSON.stringify(breaking)).toBe('hello')
      }
      expect(await gateway.workerPid()).toBe(pid)
    },
  },
]
