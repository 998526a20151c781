/** From variables to environ, without a socket: the vectors of RFC 3875 section 4.1 and of front servers that disagree. */

import { describe, expect, test } from 'vitest'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { applyMount } from '../../src/gateway/path.ts'

interface Seen {
  readonly status: number
  readonly environ: Readonly<Record<string, unknown>>
}

/** What the application sees of these variables alone. */
async function see(
  params: Readonly<Record<string, string>>,
  settings: { mounts?: string[]; variables?: [string, string][] } = {},
): Promise<Seen> {
  const environ = { mounts: [], variables: [], multiprocess: false, concurrent: true, ...settings }
  let seen: Readonly<Record<string, unknown>> = {}
  const { status } = await requestInMemory(
    (given, startResponse) => {
      seen = { ...given }
      startResponse('200 OK', [])
      return []
    },
    { params: { REQUEST_URI: '', PATH_INFO: '', SERVER_NAME: '', SERVER_PORT: '', ...params } },
    { environ },
  )
  return { status, environ: seen }
}

describe('SCRIPT_NAME and PATH_INFO are what these say:', () => {
  test.each([
    ['PATH_INFO alone', { PATH_INFO: '/a' }, '', '/a'],
    ['both', { SCRIPT_NAME: '/app', PATH_INFO: '/a' }, '/app', '/a'],
    ['SCRIPT_NAME with a slash at its end (Apache)', { SCRIPT_NAME: '/app/', PATH_INFO: '/' }, '/app', '/'],
    ['SCRIPT_NAME / and a path', { SCRIPT_NAME: '/', PATH_INFO: '/a' }, '', '/a'],
    ['an empty PATH_INFO below a script', { SCRIPT_NAME: '/app', PATH_INFO: '' }, '/app', ''],
    ['an empty PATH_INFO and no script', { PATH_INFO: '' }, '', '/'],
    ['an empty PATH_INFO, and DOCUMENT_URI', { PATH_INFO: '', DOCUMENT_URI: '/d' }, '', '/d'],
    ['nothing but REQUEST_URI', { PATH_INFO: '', REQUEST_URI: '/a%20b%2F?q=/x' }, '', '/a b/'],
    ['an absolute REQUEST_URI', { PATH_INFO: '', REQUEST_URI: 'http://h:1/a?q' }, '', '/a'],
    ['an absolute REQUEST_URI without a path', { PATH_INFO: '', REQUEST_URI: 'http://h' }, '', '/'],
    ['a percent sign that is none', { PATH_INFO: '', REQUEST_URI: '/100%/%zz' }, '', '/100%/%zz'],
    ['OPTIONS *', { REQUEST_METHOD: 'OPTIONS', PATH_INFO: '*' }, '', '*'],
    ['slashes and dots are left alone', { PATH_INFO: '//a/../b' }, '', '//a/../b'],
  ])('%s', async (_what, params, scriptName, pathInfo) => {
    const { status, environ } = await see(params)
    expect({ status, SCRIPT_NAME: environ['SCRIPT_NAME'], PATH_INFO: environ['PATH_INFO'] }).toEqual({
      status: 200,
      SCRIPT_NAME: scriptName,
      PATH_INFO: pathInfo,
    })
  })

  test.each([
    { PATH_INFO: 'a' },
    { PATH_INFO: '*a' },
    { PATH_INFO: '*' },
    { PATH_INFO: '/a', SCRIPT_NAME: 'app' },
    { PATH_INFO: '', SCRIPT_NAME: 'app' },
    { PATH_INFO: '', DOCUMENT_URI: 'd' },
    { PATH_INFO: '', REQUEST_URI: 'a/b' },
  ])('%j is no path: 400', async (params) => {
    expect((await see(params)).status).toBe(400)
  })
})

describe('what contradicts itself or cannot be sent in a header is a 400:', () => {
  test.each([
    ['no method', { REQUEST_METHOD: '' }],
    ['a method with a space', { REQUEST_METHOD: 'GET /' }],
    ['a header with CR', { HTTP_X: 'a\rb' }],
    ['a header with LF', { HTTP_X: 'a\nb' }],
    ['a header with NUL', { HTTP_X: 'a\0b' }],
    ['a path with NUL', { PATH_INFO: '/a\0b' }],
    ['a query with NUL', { QUERY_STRING: 'a\0b' }],
    ['a path with NUL that is only in REQUEST_URI', { PATH_INFO: '', REQUEST_URI: '/a%00b' }],
    ['a length that is no number', { CONTENT_LENGTH: '1x' }],
    ['a path with a fragment', { PATH_INFO: '/admin#x', REQUEST_URI: '/admin#x' }],
    ['a script with a fragment', { SCRIPT_NAME: '/admin#x', PATH_INFO: '/', REQUEST_URI: '/admin#x/' }],
  ])('%s', async (_what, params) => {
    expect((await see({ PATH_INFO: '/', ...params })).status).toBe(400)
  })

  test.each(['a\\admin?', 'a/b', 'a?b', 'a#b', 'user@a', 'a b', 'a\tb'])('the Host %j', async (host) => {
    expect((await see({ PATH_INFO: '/', HTTP_HOST: host })).status).toBe(400)
  })

  test('two Host headers that differ; the same one twice is one', async () => {
    const ask = (second: string) =>
      requestInMemory(
        (environ, start) => {
          start('200 OK', [])
          return [Buffer.from(environ['HTTP_HOST'] ?? '')]
        },
        {
          headers: [
            ['Host', 'a.test'],
            ['Host', second],
          ],
        },
      )
    expect((await ask('b.test')).status).toBe(400)
    expect(await ask('a.test')).toMatchObject({ status: 200, text: 'a.test' })
  })
})

test.each(['a.example', 'A_b.example:8080', '[::1]:80', '', 'caf\xc3\xa9', 'a%20b'])('%j is a Host', async (host) => {
  expect((await see({ PATH_INFO: '/', HTTP_HOST: host })).environ['HTTP_HOST']).toBe(host)
})

test.each([
  ['/admin', '/admin#x'],
  ['/a#b', '/a%23b'],
])('%j is the path of %j', async (PATH_INFO, REQUEST_URI) => {
  expect((await see({ PATH_INFO, REQUEST_URI })).environ['PATH_INFO']).toBe(PATH_INFO)
})

test('a line break in what is no header is data: a path may have one', async () => {
  expect((await see({ PATH_INFO: '/a\nb' })).environ['PATH_INFO']).toBe('/a\nb')
})

test('deployed variables give way to those of the request, and are not joined with them', async () => {
  const variables: [string, string][] = [
    ['HTTP_X', 'deployed'],
    ['MINE', 'deployed'],
    ['REMOTE_USER', 'deployed'],
  ]
  const { environ } = await see({ PATH_INFO: '/', HTTP_X: 'sent', REMOTE_USER: '' }, { variables })
  expect(environ).toMatchObject({ HTTP_X: 'sent', MINE: 'deployed', REMOTE_USER: '' })
})

test('T19 the longest mount that ends at a slash counts', () => {
  const mounts = ['/a/b', '/a']
  const mounted = (pathInfo: string, scriptName = '') => Object.values(applyMount({ scriptName, pathInfo }, mounts))
  expect(mounted('/a/b/c')).toEqual(['/a/b', '/c'])
  expect(mounted('/a/bc')).toEqual(['/a', '/bc'])
  expect(mounted('/a')).toEqual(['/a', ''])
  expect(mounted('/ab')).toEqual(['', '/ab'])
  expect(mounted('/a/b', '/outer')).toEqual(['/outer/a/b', ''])
  expect(mounted('*')).toEqual(['', '*'])
})

test('the signal is made when it is first read, and is the same ever after', async () => {
  const { text } = await requestInMemory((environ, start) => {
    start('200 OK', [])
    const first = environ['tsgi.signal']
    return [Buffer.from(String(first instanceof AbortSignal && environ['tsgi.signal'] === first && !first.aborted))]
  })
  expect(text).toBe('true')
})
