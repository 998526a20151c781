/** T60 to T69: Content-Length, and responses without a body (PEP 3333; RFC 9110 sections 6.4.1, 8.6, 15). */

import { expect } from 'vitest'
import { type Gateway, messages } from '../gateway.ts'
import type { Case } from './case.ts'
import { failures } from './expect-broken.ts'

const closings = (gateway: Gateway, id: string): string[] =>
  messages(gateway.said(id)).filter((message) => message.startsWith('closed'))

export const lengthCases: readonly Case[] = [
  {
    name: 'T60 the length of an array is added',
    run: async (gateway) => {
      const answer = await gateway.ask('/hello')
      expect(answer.headerAll('Content-Length')).toEqual(['5'])
      const plain = await gateway.ask({ path: '/hello', params: { TELL_WHEN_OVER: undefined } })
      expect(plain.raw.equals(answer.raw), 'the same without any callback').toBe(true)
    },
  },
  {
    name: 'T61 no length is added to a generator',
    run: async (gateway) => {
      for (const kind of ['generator', 'async', 'readable']) {
        expect((await gateway.ask(`/body?kind=${kind}`)).headerAll('Content-Length'), kind).toEqual([])
      }
    },
  },
  {
    name: 'T62 an exact Content-Length passes',
    run: async (gateway) => {
      for (const by of ['array', 'generator', 'write']) {
        for (const bytes of [0, 5, 70_000]) {
          const answer = await gateway.ask(`/length?by=${by}&length=${bytes}&bytes=${bytes}`)
          expect(answer, by).toMatchObject({ status: 200, problem: undefined })
          expect(answer.body, by).toHaveLength(bytes)
          expect(answer.headerAll('Content-Length')).toEqual([String(bytes)])
          await gateway.over(answer.id)
          expect(messages(gateway.said(answer.id)).filter((message) => !/^closed|^returned/.test(message))).toEqual([])
        }
      }
    },
  },
  {
    name: 'T63 what is longer is cut, logged once, and closed',
    run: async (gateway) => {
      for (const by of ['array', 'generator']) {
        for (const length of [0, 2, 3, 4]) {
          const answer = await gateway.ask(`/length?by=${by}&length=${length}&bytes=10`)
          expect(answer, by).toMatchObject({ status: 200, problem: undefined })
          expect(answer.body, `${by} ${length}`).toHaveLength(length)
          expect(await gateway.over(answer.id)).toMatchObject({ bytes: length, aborted: false })
          expect(messages(gateway.said(answer.id), 'warn')).toEqual([
            `the body is longer than its Content-Length of ${length}: cut`,
          ])
          if (by === 'generator') expect(closings(gateway, answer.id)).toHaveLength(1)
        }
      }
    },
  },
  {
    name: 'T64 what is shorter is logged, and is neither a success nor a hang',
    run: async (gateway) => {
      for (const by of ['array', 'generator', 'write']) {
        const answer = await gateway.ask(`/length?by=${by}&length=10&bytes=5`)
        expect(answer.problem, by).toBeDefined()
        expect(await gateway.over(answer.id)).toMatchObject({ aborted: true, error: 'TSGI_APP_TOO_SHORT' })
        expect(failures(gateway, answer.id)).toMatchObject([{ err: { code: 'TSGI_APP_TOO_SHORT' } }])
        if (by !== 'array') expect(closings(gateway, answer.id)).toHaveLength(1)
      }
    },
  },
  {
    name: 'T65 a write beyond Content-Length sends what is allowed and throws in the application',
    run: async (gateway) => {
      for (const length of [0, 4]) {
        const answer = await gateway.ask(`/length?by=write&length=${length}&bytes=10`)
        expect(answer).toMatchObject({ status: 200, problem: undefined })
        expect(answer.body).toHaveLength(length)
        await gateway.over(answer.id)
        expect(messages(gateway.said(answer.id))).toContain('write threw TSGI_APP_TOO_LONG')
        expect(failures(gateway, answer.id), 'the application caught it').toEqual([])
      }
    },
  },
  {
    name: 'T66 HEAD gives the same headers, no byte of the body, one pull at most, and closes',
    run: async (gateway) => {
      for (const path of [
        '/hello',
        '/body?kind=generator',
        '/body?kind=async',
        '/length?by=generator&length=10&bytes=10',
        '/length?by=array&length=10&bytes=10',
        '/big-chunk',
        '/many-chunks?kind=readable',
      ]) {
        const get = await gateway.ask(path)
        const head = await gateway.ask({ path, method: 'HEAD' })
        expect(head.headers, path).toEqual(get.headers)
        expect(head, path).toMatchObject({ status: 200, text: '', problem: undefined })
        expect(await gateway.over(head.id), path).toMatchObject({ bytes: 0, aborted: false })
        expect(failures(gateway, head.id), path).toEqual([])
      }
      const { id } = await gateway.ask({ path: '/length?by=generator&length=10&bytes=10', method: 'HEAD' })
      await gateway.over(id)
      expect(messages(gateway.said(id))).toEqual(['returned', 'closed after 1 pulls'])
      const written = await gateway.ask({ path: '/head-write', method: 'HEAD' })
      expect(written).toMatchObject({ status: 200, text: '', headers: [['X-Kept', 'yes']] })
      await gateway.over(written.id)
      expect(closings(gateway, written.id)).toHaveLength(1)
      expect(failures(gateway, written.id)).toEqual([])
    },
  },
  {
    name: 'T67 a HEAD answered with [] keeps its Content-Length, and gets none added',
    run: async (gateway) => {
      const kept = await gateway.ask({ path: '/no-content?kind=none&status=200+OK', method: 'HEAD' })
      expect(kept).toMatchObject({ status: 200, text: '', problem: undefined })
      expect(kept.headerAll('Content-Length')).toEqual(['12345'])
      const none = await gateway.ask({ path: '/empty?kind=array', method: 'HEAD' })
      expect(none.headerAll('Content-Length')).toEqual([])
      await gateway.over(kept.id)
      expect(failures(gateway, kept.id)).toEqual([])
    },
  },
  {
    name: 'T68 a 204 has neither body nor Content-Length; a body is dropped and logged',
    run: async (gateway) => {
      for (const kind of ['array', 'generator', 'write', 'none']) {
        const answer = await gateway.ask(`/no-content?kind=${kind}`)
        expect(answer, kind).toMatchObject({ status: 204, text: '', headers: [['X-Kept', 'yes']] })
        await gateway.over(answer.id)
        const warnings = messages(gateway.said(answer.id), 'warn')
        expect(warnings, kind).toEqual(kind === 'none' ? [] : ['a 204 has no body: the one returned was dropped'])
        expect(failures(gateway, answer.id), kind).toEqual([])
      }
    },
  },
  {
    name: 'T69 a 304 keeps its Content-Length and has no body; a 205 says 0',
    run: async (gateway) => {
      for (const kind of ['array', 'generator', 'write', 'none']) {
        const answer = await gateway.ask(`/no-content?kind=${kind}&status=304+Not+Modified`)
        expect(answer, kind).toMatchObject({ status: 304, text: '' })
        expect(answer.headerAll('Content-Length'), kind).toEqual(['12345'])
        const reset = await gateway.ask(`/no-content?kind=${kind}&status=205+Reset+Content`)
        expect(reset, kind).toMatchObject({ status: 205, text: '', problem: undefined })
        expect(reset.headerAll('Content-Length'), kind).toEqual(['0'])
      }
    },
  },
]
