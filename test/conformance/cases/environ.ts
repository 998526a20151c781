/** T01 to T24: what the application is given (PEP 3333, "environ Variables"; RFC 3875 section 4.1). */

import { expect } from 'vitest'
import type { Ask, Gateway } from '../gateway.ts'
import type { Case } from './case.ts'

interface Shown {
  readonly variables: Readonly<Record<string, string>>
  readonly kinds: Readonly<Record<string, string>>
  readonly values: Readonly<Record<string, unknown>>
  readonly inherited: readonly string[]
  readonly prototype: boolean
  readonly extensible: boolean
}

async function show(gateway: Gateway, ask: Ask = {}): Promise<Shown> {
  const answer = await gateway.ask(ask)
  expect(answer.status, answer.text).toBe(200)
  // Written by the fixture application, which shows its environ on every path that is no route.
  return JSON.parse(answer.text) as Shown
}

const variablesOf = async (gateway: Gateway, ask: Ask): Promise<Shown['variables']> =>
  (await show(gateway, ask)).variables

export const environCases: readonly Case[] = [
  {
    name: 'T01 the required keys are there and not empty; path and query are always there',
    run: async (gateway) => {
      const bare = {
        SERVER_NAME: undefined,
        SERVER_PORT: undefined,
        SERVER_PROTOCOL: undefined,
        QUERY_STRING: undefined,
        REMOTE_ADDR: undefined,
      }
      const variables = await variablesOf(gateway, { path: '/x', params: bare })
      expect(variables).toMatchObject({
        REQUEST_METHOD: 'GET',
        SCRIPT_NAME: '',
        PATH_INFO: '/x',
        QUERY_STRING: '',
        SERVER_NAME: 'localhost',
        SERVER_PORT: '80',
        SERVER_PROTOCOL: 'HTTP/1.1',
      })
      const secure = await variablesOf(gateway, { params: { ...bare, HTTPS: 'on' } })
      expect(secure).toMatchObject({ SERVER_PORT: '443' })
      const sent = await variablesOf(gateway, { params: { SERVER_PROTOCOL: 'HTTP/2.0' } })
      expect(sent).toMatchObject({ SERVER_NAME: 'example.test', SERVER_PORT: '8080', SERVER_PROTOCOL: 'HTTP/2.0' })
    },
  },
  {
    name: 'T02 every key without a dot is a string',
    run: async (gateway) => {
      const { kinds } = await show(gateway, { headers: [['X-A', 'b']], body: 'x', method: 'POST' })
      const strings = Object.entries(kinds).filter(([name]) => !name.includes('.'))
      expect(strings.length).toBeGreaterThan(10)
      for (const [name, kind] of strings) expect(kind, name).toBe('string')
    },
  },
  {
    name: 'T03 bytes 80 to ff of a header become U+0080 to U+00FF',
    run: async (gateway) => {
      const high = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index)).join('')
      expect(await variablesOf(gateway, { headers: [['X-High', high]] })).toMatchObject({ HTTP_X_HIGH: high })
    },
  },
  {
    name: 'T04 a percent-encoded path arrives as its bytes',
    run: async (gateway) => {
      expect(await variablesOf(gateway, { path: '/c%C3%A9%80' })).toMatchObject({ PATH_INFO: '/c\xc3\xa9\x80' })
    },
  },
  {
    name: 'T05 no question mark and nothing after it both give an empty query',
    run: async (gateway) => {
      for (const path of ['/', '/?']) {
        expect(await variablesOf(gateway, { path })).toMatchObject({ QUERY_STRING: '', PATH_INFO: '/' })
      }
    },
  },
  {
    name: 'T06 the query stays encoded',
    run: async (gateway) => {
      expect(await variablesOf(gateway, { path: '/?s%E4y=ni&a=%2B+' })).toMatchObject({
        QUERY_STRING: 's%E4y=ni&a=%2B+',
      })
    },
  },
  {
    name: 'T07 Content-Type and Content-Length come as bare keys only, and only where they say something',
    run: async (gateway) => {
      const both = await variablesOf(gateway, {
        method: 'POST',
        body: 'abc',
        params: { CONTENT_TYPE: 'text/x', HTTP_CONTENT_TYPE: 'text/y', HTTP_CONTENT_LENGTH: '99' },
      })
      expect(both).toMatchObject({ CONTENT_TYPE: 'text/x', CONTENT_LENGTH: '3' })
      expect(Object.keys(both).filter((name) => name.startsWith('HTTP_CONTENT'))).toEqual([])
      const neither = await variablesOf(gateway, { params: { CONTENT_TYPE: '' } })
      expect(neither).not.toHaveProperty('CONTENT_TYPE')
      if (gateway.row.noLength === '') expect(neither).not.toHaveProperty('CONTENT_LENGTH')
    },
  },
  {
    name: 'T08 dashes become underscores; an absent header is an absent key',
    run: async (gateway) => {
      const variables = await variablesOf(gateway, { headers: [['X-With-Dashes', 'yes']] })
      expect(variables).toMatchObject({ HTTP_X_WITH_DASHES: 'yes' })
      expect(variables).not.toHaveProperty('HTTP_X_ABSENT')
    },
  },
  {
    name: 'T09 repeated headers are joined, cookies with a semicolon; of other variables the last counts',
    run: async (gateway) => {
      const headers = ['X-Multi', 'Cookie', 'X-Multi', 'Cookie', 'X-Multi'].map(
        (name, index) => [name, `${index}=v`] as const,
      )
      const variables = await variablesOf(gateway, { headers, rawParams: ['MY_VAR', 'one', 'MY_VAR', 'two'] })
      expect(variables).toMatchObject({
        HTTP_X_MULTI: '0=v, 2=v, 4=v',
        HTTP_COOKIE: '1=v; 3=v',
        MY_VAR: 'two',
      })
    },
  },
  {
    name: 'T10 without authentication there is no REMOTE_USER, whatever the client sends',
    run: async (gateway) => {
      const variables = await variablesOf(gateway, { headers: [['Remote-User', 'mallory']] })
      expect(variables).not.toHaveProperty('REMOTE_USER')
      expect(variables).not.toHaveProperty('AUTH_TYPE')
      expect(variables).toMatchObject({ HTTP_REMOTE_USER: 'mallory' })
    },
  },
  {
    name: 'T11 what the front server says arrives unchanged',
    run: async (gateway) => {
      const said = {
        REMOTE_USER: 'alice',
        SSL_CLIENT_S_DN: 'CN=a,O=b\\, c',
        DOCUMENT_ROOT: '/srv/caf\xc3\xa9',
        MY_VAR: ' spaces kept ',
        lower_case: 'too',
        EMPTY: '',
      }
      expect(await variablesOf(gateway, { params: said })).toMatchObject(said)
    },
  },
  {
    name: 'T12 variables named tsgi.* never reach the application',
    run: async (gateway) => {
      const names = ['tsgi.input', 'tsgi.url_scheme', 'tsgi.signal', 'tsgi.new']
      const { kinds, variables, values } = await show(gateway, { rawParams: names.flatMap((name) => [name, 'https']) })
      expect(kinds).toMatchObject({ 'tsgi.input': 'object', 'tsgi.signal': 'object' })
      expect(kinds).not.toHaveProperty(['tsgi.new'])
      expect(variables['tsgi.url_scheme']).toBe('http')
      expect(values).toMatchObject({ signal: true })
    },
  },
  {
    name: 'T13 __proto__ and constructor are data; nothing is inherited',
    run: async (gateway) => {
      const shown = await show(gateway)
      expect(shown).toMatchObject({ prototype: true, extensible: true, inherited: [] })
      const rawParams = ['__proto__', 'data', 'constructor', 'too', 'toString', 'three']
      const { kinds, prototype } = await show(gateway, { rawParams })
      expect(prototype).toBe(true)
      expect(Object.entries(kinds).filter(([name]) => rawParams.includes(name))).toHaveLength(3)
    },
  },
  {
    name: 'T14 what an application does to its environ is gone with the request',
    run: async (gateway) => {
      const first = await gateway.ask('/mutate')
      const second = await gateway.ask('/mutate')
      expect(JSON.parse(first.text)).toEqual({ added: null, method: 'GET', user: null })
      expect(second.text).toBe(first.text)
    },
  },
  {
    name: 'T15 the environment of the process does not leak',
    run: async (gateway) => {
      const variables = await variablesOf(gateway, {})
      for (const name of ['PATH', 'HOME', 'NODE_ENV', 'TSGI_ACCEPT', 'DEPLOYED'])
        expect(variables).not.toHaveProperty(name)
    },
  },
  {
    name: 'T16 a Proxy header gives no HTTP_PROXY',
    run: async (gateway) => {
      const variables = await variablesOf(gateway, {
        headers: [
          ['Proxy', 'http://evil.test'],
          ['Proxy-X', 'kept'],
        ],
      })
      expect(variables).not.toHaveProperty('HTTP_PROXY')
      expect(variables).toMatchObject({ HTTP_PROXY_X: 'kept' })
    },
  },
  {
    name: 'T17 the scheme is what the front server says',
    run: async (gateway) => {
      const schemeOf = async (params: Record<string, string>): Promise<unknown> =>
        (await show(gateway, { params })).values['scheme']
      for (const HTTPS of ['on', '1', 'yes', 'true', 'ON', 'Yes'])
        expect(await schemeOf({ HTTPS }), HTTPS).toBe('https')
      for (const HTTPS of ['', 'foo', 'off', '0', 'no']) expect(await schemeOf({ HTTPS }), HTTPS).toBe('http')
      expect(await schemeOf({ REQUEST_SCHEME: 'https' })).toBe('https')
      expect(await schemeOf({ UWSGI_SCHEME: 'https' })).toBe('https')
      expect(await schemeOf({ REQUEST_SCHEME: 'gopher' })).toBe('http')
    },
  },
  {
    name: 'T18 X-Forwarded-Proto alone changes nothing',
    run: async (gateway) => {
      const { values, variables } = await show(gateway, {
        headers: [
          ['X-Forwarded-Proto', 'https'],
          ['X-Forwarded-For', '10.0.0.1'],
          ['X-Forwarded-Host', 'evil.test'],
        ],
      })
      expect(values['scheme']).toBe('http')
      expect(variables).toMatchObject({ REMOTE_ADDR: '192.0.2.1', SERVER_NAME: 'example.test' })
    },
  },
  {
    name: 'T19 a mount ends at a slash',
    run: async (gateway) => {
      const vectors = [
        ['/api/restful', '', '/api/restful'],
        ['/api/rest', '/api/rest', ''],
        ['/api/rest/', '/api/rest', '/'],
        ['/api/rest/a//b', '/api/rest', '/a//b'],
        ['/api', '', '/api'],
        ['/api/rest/deep/x', '/api/rest/deep', '/x'],
        ['/x/api/rest', '', '/x/api/rest'],
      ]
      for (const [path = '', SCRIPT_NAME, PATH_INFO] of vectors) {
        expect(await variablesOf(gateway, { path }), path).toMatchObject({ SCRIPT_NAME, PATH_INFO })
      }
    },
  },
  {
    name: 'T20 outside of every mount SCRIPT_NAME is empty',
    run: async (gateway) => {
      for (const path of ['/', '/a']) {
        expect(await variablesOf(gateway, { path })).toMatchObject({ SCRIPT_NAME: '', PATH_INFO: path })
      }
    },
  },
  {
    name: 'T21 the params files of nginx, which disagree, all give the whole path as PATH_INFO',
    run: async (gateway) => {
      const stock = {
        uwsgi: { PATH_INFO: '/a b', DOCUMENT_URI: '/a b' },
        fastcgi: { PATH_INFO: undefined, SCRIPT_NAME: '/a b', DOCUMENT_URI: '/a b' },
        scgi: { PATH_INFO: undefined, DOCUMENT_URI: '/a b' },
        none: { PATH_INFO: undefined },
      }
      for (const [file, params] of Object.entries(stock)) {
        expect(await variablesOf(gateway, { path: '/a%20b?q', params }), file).toMatchObject({
          SCRIPT_NAME: '',
          PATH_INFO: '/a b',
        })
      }
    },
  },
  {
    name: 'T22 REQUEST_URI keeps // and %2F, PATH_INFO is decoded',
    run: async (gateway) => {
      expect(await variablesOf(gateway, { path: '/a//b%2Fc%20d?x' })).toMatchObject({
        REQUEST_URI: '/a//b%2Fc%20d?x',
        PATH_INFO: '/a//b/c d',
      })
    },
  },
  {
    name: 'T23 the tsgi.* keys are there with their types and values',
    run: async (gateway) => {
      const { kinds, values } = await show(gateway)
      const always = {
        'tsgi.version': 'array',
        'tsgi.url_scheme': 'string',
        'tsgi.input': 'object',
        'tsgi.input_terminated': 'boolean',
        'tsgi.errors': 'object',
        'tsgi.multithread': 'boolean',
        'tsgi.multiprocess': 'boolean',
        'tsgi.run_once': 'boolean',
        'tsgi.concurrent': 'boolean',
        'tsgi.signal': 'object',
        'tsgi.after': 'function',
        'tsgi.file_wrapper': 'function',
      }
      expect(kinds).toMatchObject(always)
      expect(values).toEqual({
        version: [1, 0],
        multiprocess: false,
        multithread: false,
        runOnce: false,
        concurrent: true,
        terminated: true,
        scheme: 'http',
        signal: true,
      })
      expect('tsgi.upgrade' in kinds, 'tsgi.upgrade').toBe(gateway.row.protocol !== 'fastcgi')
      const optional = ['tsgi.upgrade', 'tsgi.state']
      const others = Object.keys(kinds).filter((name) => name.startsWith('tsgi.') && !(name in always))
      expect(others.filter((name) => !optional.includes(name))).toEqual([])
    },
  },
  {
    name: 'T24 methods arrive as they are',
    run: async (gateway) => {
      for (const method of ['PUT', 'PATCH', 'PROPFIND', 'OPTIONS', 'get', "!#$%&'*+.^_`|~"]) {
        expect(await variablesOf(gateway, { method }), method).toMatchObject({ REQUEST_METHOD: method })
      }
      for (const method of ['', 'GET ', 'G\tT', 'G\xc9T']) {
        expect((await gateway.ask({ method })).status, JSON.stringify(method)).toBe(400)
      }
      expect(await variablesOf(gateway, { method: 'OPTIONS', params: { PATH_INFO: '*' } })).toMatchObject({
        PATH_INFO: '*',
      })
      for (const PATH_INFO of ['x', 'http://x/', '*/']) {
        expect((await gateway.ask({ params: { PATH_INFO } })).status, PATH_INFO).toBe(400)
      }
    },
  },
]
