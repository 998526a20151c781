/** T25 to T42: startResponse (PEP 3333, "The start_response() Callable", "Unicode Issues"). */

import { expect } from 'vitest'
import {
  BAD_HEADER_LISTS,
  BAD_HEADERS,
  BAD_LENGTHS,
  BAD_STATUSES,
  HOP_BY_HOP,
  NOT_LATIN_1,
} from '../fixtures/vectors.ts'
import { expectPlainError, type Gateway, messages } from '../gateway.ts'
import type { Case } from './case.ts'

/** Every vector is a 500 of ours, with one line in the log that says why. */
async function expectRefused(gateway: Gateway, path: string, whats: readonly string[], code: string): Promise<void> {
  expect(whats.length).toBeGreaterThan(2)
  for (const [n, what] of whats.entries()) {
    const answer = await gateway.ask(`${path}?n=${n}`)
    expectPlainError(answer)
    expect(answer.raw.toString('latin1'), what).not.toMatch(/injected/i)
    await gateway.over(answer.id)
    const said = gateway.said(answer.id)
    expect(messages(said), what).toEqual(['the application failed'])
    expect(said[0], what).toMatchObject({ err: { code }, request: `GET ${path}` })
  }
}

const names = (vectors: readonly { readonly what: string }[]): string[] => vectors.map(({ what }) => what)

async function expectFailed(gateway: Gateway, path: string, code: string): Promise<string> {
  const answer = await gateway.ask(path)
  expectPlainError(answer)
  await gateway.over(answer.id)
  expect(gateway.said(answer.id).filter(({ msg }) => msg === 'the application failed')).toMatchObject([
    { err: { code } },
  ])
  return answer.id
}

export const headCases: readonly Case[] = [
  {
    name: 'T25 bad statuses give 500 and no injected byte',
    run: (gateway) => expectRefused(gateway, '/bad-status', names(BAD_STATUSES), 'TSGI_APP_BAD_STATUS'),
  },
  {
    name: 'T25 a status without a reason gets one',
    run: async (gateway) => {
      for (const [status, reason] of [
        ['200 ', 'OK'],
        ['299 ', 'OK'],
        ['302 ', 'Redirect'],
        ['404 ', 'Client Error'],
        ['503 ', 'Server Error'],
      ]) {
        const answer = await gateway.ask(`/no-reason?status=${status}`)
        expect(answer, status).toMatchObject({ status: Number(status), reason, problem: undefined })
      }
    },
  },
  {
    name: 'T26 bad headers give 500 and no injected byte',
    run: (gateway) => expectRefused(gateway, '/bad-header', names(BAD_HEADERS), 'TSGI_APP_BAD_HEADER'),
  },
  {
    name: 'T27 characters beyond U+00FF are refused before they are encoded',
    run: (gateway) => expectRefused(gateway, '/not-latin-1', names(NOT_LATIN_1), 'TSGI_APP_BAD_HEADER'),
  },
  {
    name: 'T28 headers that are no array give 500',
    run: (gateway) => expectRefused(gateway, '/bad-header-list', names(BAD_HEADER_LISTS), 'TSGI_APP_BAD_HEADER'),
  },
  {
    name: 'T29 T30 hop-by-hop headers and Status are refused in any case',
    run: (gateway) => expectRefused(gateway, '/hop-by-hop', HOP_BY_HOP, 'TSGI_APP_BAD_HEADER'),
  },
  {
    name: 'T31 a Content-Length is digits, and several agree',
    run: async (gateway) => {
      await expectRefused(gateway, '/bad-length', BAD_LENGTHS.map(String), 'TSGI_APP_BAD_HEADER')
      const equal = await gateway.ask('/equal-lengths')
      expect(equal).toMatchObject({ status: 200, text: '12345' })
      expect(equal.headerAll('Content-Length')).toEqual(['5'])
    },
  },
  {
    name: 'T32 headers keep their order and their repeats',
    run: async (gateway) => {
      const answer = await gateway.ask('/cookies')
      expect(answer.headers).toEqual([
        ['X-First', '1'],
        ['Set-Cookie', 'b=2; Path=/'],
        ['X-Between', '2'],
        ['Set-Cookie', 'a=1; Path=/'],
        ['Content-Length', '9'],
      ])
    },
  },
  {
    name: 'T33 25 headers arrive',
    run: async (gateway) => {
      const { headers } = await gateway.ask('/many-headers')
      expect(headers).toHaveLength(26)
      expect(headers[24]).toEqual(['X-Header-24', 'value 24'])
    },
  },
  {
    name: 'T34 one frozen list of headers serves many requests and stays as it was',
    run: async (gateway) => {
      for (let times = 3; times > 0; times -= 1) {
        const answer = await gateway.ask('/frozen-headers')
        expect(answer.headers).toEqual([
          ['X-Shared', 'yes'],
          ['Content-Length', String(answer.text.length)],
        ])
        expect(JSON.parse(answer.text)).toEqual([['X-Shared', 'yes']])
      }
    },
  },
  {
    name: 'T34 what happens to the list of headers after startResponse changes nothing',
    run: async (gateway) => {
      for (const kind of ['array', 'generator']) {
        const answer = await gateway.ask(`/headers-go-on?kind=${kind}`)
        expect(answer.text, kind).toBe('own')
        expect(answer.headers.filter(([name]) => name.startsWith('X-'))).toEqual([
          ['X-First', '1'],
          ['X-Second', '2'],
        ])
      }
    },
  },
  {
    name: 'T35 a second call without excInfo is an error',
    run: async (gateway) => {
      await expectFailed(gateway, '/twice', 'TSGI_APP_STARTED_TWICE')
    },
  },
  {
    name: 'T36 a second call without excInfo is an error also when the first one threw',
    run: async (gateway) => {
      const id = await expectFailed(gateway, '/first-threw', 'TSGI_APP_STARTED_TWICE')
      expect(messages(gateway.said(id))).toContain('first TSGI_APP_BAD_STATUS')
    },
  },
  {
    name: 'T37 excInfo before the head replaces status and all headers',
    run: async (gateway) => {
      const answer = await gateway.ask('/exc-info-before')
      expect(answer).toMatchObject({ status: 503, reason: 'Replaced', text: 'replaced' })
      expect(answer.headers).toEqual([
        ['X-New', 'new'],
        ['Content-Length', '8'],
      ])
      const id = await expectFailed(gateway, '/exc-info-bad-head', 'TSGI_APP_NOT_STARTED')
      expect(messages(gateway.said(id))).toContain('replacing threw TSGI_APP_BAD_STATUS')
    },
  },
  {
    name: 'T38 excInfo after the head is thrown back, the same value, and the response breaks off',
    run: async (gateway) => {
      const { conversation, id } = gateway.open({ path: '/exc-info-after?length=100' })
      const answer = await conversation.answer()
      expect(answer).toMatchObject({ status: 200, text: 'begun' })
      expect(answer.headerAll('X-New')).toEqual([])
      expect(answer.problem).toBeDefined()
      expect(await gateway.over(id)).toMatchObject({ status: 200, aborted: true })
      expect(messages(gateway.said(id))).toEqual(['same true', 'the application failed'])
      const trapped = await gateway.ask('/exc-info-after?trapped')
      expect(trapped, 'an application that traps it ends as it likes').toMatchObject({ status: 200, text: 'begun' })
    },
  },
  {
    name: 'T39 excInfo null, 0, false and the empty string count as given; undefined does not',
    run: async (gateway) => {
      for (const value of ['null', 'zero', 'empty', 'false']) {
        expect(await gateway.ask(`/exc-info-falsy?value=${value}`), value).toMatchObject({ status: 202 })
      }
      await expectFailed(gateway, '/exc-info-falsy?value=undefined', 'TSGI_APP_STARTED_TWICE')
    },
  },
  {
    name: 'T40 startResponse may be called first inside a generator',
    run: async (gateway) => {
      for (const kind of ['sync', 'async']) {
        const answer = await gateway.ask(`/late-start?kind=${kind}`)
        expect(answer, kind).toMatchObject({ status: 201, reason: 'Late', text: 'late' })
        expect(answer.headerAll('X-Late')).toEqual(['yes'])
      }
    },
  },
  {
    name: 'T41 startResponse and write throw after the request ended',
    run: async (gateway) => {
      const { id, text } = await gateway.ask('/start-after-end')
      expect(text).toBe('"ended"')
      await gateway.over(id)
      expect(messages(gateway.said(id))).toEqual(['start TSGI_APP_ENDED', 'write TSGI_APP_ENDED'])
    },
  },
  {
    name: 'T42 U+00E9 goes out as the byte E9',
    run: async (gateway) => {
      const { raw, reason } = await gateway.ask('/latin-1')
      expect(reason).toBe('Caf\xe9')
      expect(raw.includes(Buffer.from('X-Latin: caf\xe9 \xff\r\n', 'latin1'))).toBe(true)
    },
  },
]
