import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { dispatch } from '../../src/middleware/dispatch.ts'
import { headerOf } from '../../src/middleware/head.ts'
import { staticFiles } from '../../src/middleware/static-files.ts'

let folder: string
const MODIFIED = new Date('2026-01-02T03:04:05Z')

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsgi-static-'))
  const root = join(folder, 'public')
  mkdirSync(join(root, 'docs'), { recursive: true })
  mkdirSync(join(root, 'empty'))
  writeFileSync(join(root, 'a b.txt'), '0123456789')
  writeFileSync(join(root, 'nothing.css'), '')
  writeFileSync(join(root, 'docs', 'index.html'), '<p>docs</p>')
  writeFileSync(join(root, '.env'), 'SECRET=1')
  writeFileSync(join(folder, 'outside.txt'), 'outside')
  symlinkSync(join(folder, 'outside.txt'), join(root, 'leak.txt'))
  symlinkSync(join(root, 'a b.txt'), join(root, 'link.txt'))
  utimesSync(join(root, 'a b.txt'), MODIFIED, MODIFIED)
})
afterAll(() => rmSync(folder, { recursive: true }))

const ask = (path: string, headers: readonly (readonly [string, string])[] = [], method = 'GET') =>
  requestInMemory(staticFiles(join(folder, 'public')), { path, headers, method })

describe('staticFiles', () => {
  test('a file, with what a cache needs', async () => {
    const response = await ask('/a%20b.txt')
    expect([response.status, response.text]).toEqual([200, '0123456789'])
    expect(headerOf(response.headers, 'Content-Type')).toBe('text/plain; charset=utf-8')
    expect(headerOf(response.headers, 'Content-Length')).toBe('10')
    expect(headerOf(response.headers, 'Last-Modified')).toBe('Fri, 02 Jan 2026 03:04:05 GMT')
    expect(headerOf(response.headers, 'ETag')).toMatch(/^W\/"a-[0-9a-f]+"$/)
  })

  test.each([
    ['/docs/', 200],
    ['/link.txt', 200],
    ['/nothing.css', 200],
    ['/none.txt', 404],
    ['/leak.txt', 404],
    ['/.env', 404],
    ['/../outside.txt', 404],
    ['/docs/%2e%2e/%2e%2e/outside.txt', 404],
    ['/%00', 400],
    ['/empty', 404],
    ['/empty/', 404],
    ['/a%20b.txt/', 404],
    ['/a%20b.txt/x', 404],
    ['/', 404],
  ])('%s: %i', async (path, status) => {
    expect((await ask(path)).status).toBe(status)
  })

  test('a folder without its slash is redirected, below its mount', async () => {
    const site = dispatch({ '/files': staticFiles(join(folder, 'public')) })
    const response = await requestInMemory(site, { path: '/files/docs?x=1', headers: [['Host', 'h.example']] })
    expect([response.status, headerOf(response.headers, 'Location')]).toEqual([308, 'http://h.example/files/docs/?x=1'])
  })

  test('HEAD has the headers alone, other methods are refused', async () => {
    const head = await ask('/a%20b.txt', [], 'HEAD')
    expect([head.status, head.body.length, headerOf(head.headers, 'Content-Length')]).toEqual([200, 0, '10'])
    const post = await ask('/a%20b.txt', [], 'POST')
    expect([post.status, headerOf(post.headers, 'Allow')]).toEqual([405, 'GET, HEAD'])
  })

  test('another application answers what is no file', async () => {
    const site = staticFiles(join(folder, 'public'), {
      otherwise: (_environ, startResponse) => {
        startResponse('200 OK', [])
        return [Buffer.from('dynamic')]
      },
    })
    expect((await requestInMemory(site, { path: '/none' })).text).toBe('dynamic')
    expect((await requestInMemory(site, { path: '/.env' })).text).toBe('dynamic')
  })

  // RFC 9110 sections 13 and 14.
  test.each([
    ['If-None-Match', 'the tag', 304],
    ['If-None-Match', '"other"', 200],
    ['If-None-Match', '*', 304],
    ['If-Modified-Since', MODIFIED.toUTCString(), 304],
    ['If-Modified-Since', 'Fri, 02 Jan 2026 03:04:04 GMT', 200],
    ['If-Modified-Since', 'nonsense', 200],
    ['If-Match', '"x"', 412],
    ['If-Unmodified-Since', 'Fri, 02 Jan 2026 03:04:04 GMT', 412],
  ])('%s: %s gives %i', async (name, value, status) => {
    const tag = headerOf((await ask('/a%20b.txt')).headers, 'ETag') ?? ''
    const response = await ask('/a%20b.txt', [[name, value === 'the tag' ? `"y", ${tag}` : value]])
    expect(response.status).toBe(status)
    if (status !== 200) expect(response.body.length).toBe(0)
  })

  test.each([
    ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    ['bytes=4-2', 200, '0123456789', undefined],
    ['bytes=0-1,3-4', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('Range %s', async (range, status, text, contentRange) => {
    const response = await ask('/a%20b.txt', [['Range', range]])
    expect([response.status, response.text, headerOf(response.headers, 'Content-Range')]).toEqual([
      status,
      text,
      contentRange,
    ])
  })

  test('a range of another version is not given', async () => {
    const since = (date: string) =>
      ask('/a%20b.txt', [
        ['Range', 'bytes=0-1'],
        ['If-Range', date],
      ])
    expect((await since(MODIFIED.toUTCString())).status).toBe(206)
    expect((await since('Fri, 02 Jan 2026 03:04:04 GMT')).status).toBe(200)
    expect((await since('W/"a"')).status).toBe(200)
  })
})
