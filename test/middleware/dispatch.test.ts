import { describe, expect, test } from 'vitest'
import type { Application, Environ } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { dispatch } from '../../src/middleware/dispatch.ts'
import { applicationUri, hostName, requestUri, shiftPathInfo } from '../../src/middleware/url.ts'

const named =
  (name: string): Application =>
  (environ, startResponse) => {
    startResponse('200 OK', [])
    return [Buffer.from(`${name} [${environ.SCRIPT_NAME}] [${environ.PATH_INFO}]`)]
  }

const site = dispatch({
  '/': named('root'),
  '/api': named('api'),
  '/api/v2/': named('v2'),
  'host:Admin.example': named('admin'),
  'host:admin.example/api': named('admin api'),
})

describe('dispatch', () => {
  test.each([
    ['/', 'root [] [/]'],
    ['/other', 'root [] [/other]'],
    ['/api', 'api [/api] []'],
    ['/api/', 'api [/api] [/]'],
    ['/api/x', 'api [/api] [/x]'],
    ['/apix', 'root [] [/apix]'],
    ['/api/v2/x', 'v2 [/api/v2] [/x]'],
    ['/api/v20', 'api [/api] [/v20]'],
  ])('the longest mount that ends at a slash takes %s', async (path, expected) => {
    expect((await requestInMemory(site, { path })).text).toBe(expected)
  })

  test.each([
    ['admin.example', '/x', 'admin [] [/x]'],
    ['ADMIN.example:8080', '/x', 'admin [] [/x]'],
    ['admin.example', '/api/x', 'admin api [/api] [/x]'],
    ['other.example', '/x', 'root [] [/x]'],
    ['admin.example.org', '/x', 'root [] [/x]'],
  ])('host %s, path %s', async (host, path, expected) => {
    expect((await requestInMemory(site, { path, headers: [['Host', host]] })).text).toBe(expected)
  })

  test('mounts can be nested, and the layers outside still see the whole path', async () => {
    const seen: string[] = []
    const inner = dispatch({ '/a': dispatch({ '/b': named('nested') }) })
    const outer: Application = async (environ, startResponse) => {
      const body = await inner(environ, startResponse)
      seen.push(environ.SCRIPT_NAME, environ.PATH_INFO)
      return body
    }
    expect((await requestInMemory(outer, { path: '/a/b/c' })).text).toBe('nested [/a/b] [/c]')
    expect(seen).toEqual(['', '/a/b/c'])
  })

  test('what no mount takes is not found', async () => {
    const response = await requestInMemory(dispatch({ '/a': named('a') }), { path: '/b' })
    expect(response.status).toBe(404)
  })

  test.each(['', 'api', 'host:', 'host:a:80', '/a//b', '/a?b', 'hosts:x'])('%j is no mount', (key) => {
    expect(() => dispatch({ [key]: named('x') })).toThrow(/is no mount; wanted: \/path/)
  })

  test('what is mounted must be an application', () => {
    // What somebody without a type checker would write.
    const mounts: Record<string, Application> = JSON.parse('{ "/a": {} }')
    expect(() => dispatch(mounts)).toThrow(/at \/a there is an object, not an application/)
  })
})

function environ(variables: Record<string, string>): Environ {
  const base = { SCRIPT_NAME: '', PATH_INFO: '/', QUERY_STRING: '', SERVER_NAME: '127.0.0.1', SERVER_PORT: '80' }
  return Object.assign(Object.create(null), { 'tsgi.url_scheme': 'http', ...base, ...variables })
}

// CPython, Lib/test/test_wsgiref.py: testAppURIs and testReqURIs; paths without the slash that this grammar refuses.
describe('URL reconstruction (PEP 3333)', () => {
  test.each([
    [{}, 'http://127.0.0.1/'],
    [{ SCRIPT_NAME: '/spam' }, 'http://127.0.0.1/spam'],
    [{ SCRIPT_NAME: '/sp\u00c3\u00a4m' }, 'http://127.0.0.1/sp%C3%A4m'],
    [{ HTTP_HOST: 'spam.example.com:2071', SCRIPT_NAME: '/spam' }, 'http://spam.example.com:2071/spam'],
    [{ SERVER_PORT: '2071' }, 'http://127.0.0.1:2071/'],
    [{ 'tsgi.url_scheme': 'https', SERVER_PORT: '443' }, 'https://127.0.0.1/'],
  ])('applicationUri of %j', (variables, expected) => {
    expect(applicationUri(environ(variables))).toBe(expected)
  })

  test.each([
    [{}, 'http://127.0.0.1/'],
    [{ SCRIPT_NAME: '/spam', PATH_INFO: '' }, 'http://127.0.0.1/spam'],
    [{ SCRIPT_NAME: '/spammity', PATH_INFO: '/spam' }, 'http://127.0.0.1/spammity/spam'],
    [
      { SCRIPT_NAME: '/sp\u00c3\u00a4mmity', PATH_INFO: '/sp\u00c3\u00a4m' },
      'http://127.0.0.1/sp%C3%A4mmity/sp%C3%A4m',
    ],
    [{ PATH_INFO: '/spammity/spam;ham' }, 'http://127.0.0.1/spammity/spam;ham'],
    [{ PATH_INFO: '/spam;cookie=1234,5678' }, 'http://127.0.0.1/spam;cookie=1234,5678'],
    [{ QUERY_STRING: 'say=ni', PATH_INFO: '/spam' }, 'http://127.0.0.1/spam?say=ni'],
    [{ QUERY_STRING: 's%E4y=ni', PATH_INFO: '/spam' }, 'http://127.0.0.1/spam?s%E4y=ni'],
  ])('requestUri of %j', (variables, expected) => {
    expect(requestUri(environ(variables))).toBe(expected)
  })

  test('the query can be left out', () => {
    expect(requestUri(environ({ QUERY_STRING: 'x', PATH_INFO: '/a' }), { query: false })).toBe('http://127.0.0.1/a')
  })

  test.each([
    ['A.example:80', 'a.example'],
    ['[::1]:8000', '[::1]'],
    ['[::1]', '[::1]'],
    ['', '127.0.0.1'],
  ])('hostName of %j', (host, expected) => {
    expect(hostName(environ({ HTTP_HOST: host }))).toBe(expected)
  })
})

describe('shiftPathInfo', () => {
  test.each([
    ['', '/a/b', 'a', '/a', '/b'],
    ['', '/a', 'a', '/a', ''],
    ['/x', '/a/', 'a', '/x/a', '/'],
    ['/x', '//a/./b', 'a', '/x/a', '/./b'],
    ['/x', '/.//a', 'a', '/x/a', ''],
    ['/x', '/.hidden', '.hidden', '/x/.hidden', ''],
    ['/x', '', null, '/x', ''],
    ['/x', '/', null, '/x', '/'],
    ['/x', '//', null, '/x', '//'],
    ['/x', '/.', null, '/x', '/.'],
    ['/x', '/../y', null, '/x', '/../y'],
  ])('%j and %j give %j', (scriptName, pathInfo, segment, scriptAfter, pathAfter) => {
    const shifted = environ({ SCRIPT_NAME: scriptName, PATH_INFO: pathInfo })
    expect(shiftPathInfo(shifted)).toBe(segment)
    expect([shifted.SCRIPT_NAME, shifted.PATH_INFO]).toEqual([scriptAfter, pathAfter])
  })
})
