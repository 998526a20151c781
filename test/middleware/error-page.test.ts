import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Application, Body } from '../../src/application.ts'
import { TsgiError } from '../../src/errors.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { errorPage } from '../../src/middleware/error-page.ts'
import { headerOf } from '../../src/middleware/head.ts'
import { fileWrapper } from '../../src/worker/file-wrapper.ts'
import { tempDir } from '../support/temp-dir.ts'

const throwing =
  (error: unknown): Application =>
  () => {
    throw error
  }
/** Made far from the secrets of the tests: the page shows the source around it. */
const plain = new Error('x')

const HTML = [['Accept', 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8']] as const

afterEach(() => vi.unstubAllEnvs())

describe('the error page in production', () => {
  test.each([
    ['text/html,*/*;q=0.8', 'text/html; charset=utf-8', /<h1>Internal Server Error<\/h1>/],
    [
      'application/json',
      'application/problem+json',
      /^\{"type":"about:blank","title":"Internal Server Error","status":500\}$/,
    ],
    ['text/html;q=0.5, application/json', 'application/problem+json', /./],
    ['*/*', 'text/plain; charset=utf-8', /^Internal Server Error\n$/],
    ['', 'text/plain; charset=utf-8', /^Internal Server Error\n$/],
    ['text/html;q=0', 'text/plain; charset=utf-8', /./],
  ])('to Accept %j', async (accept, type, expected) => {
    const application = errorPage(throwing(new Error('a secret inside')))
    const response = await requestInMemory(application, { headers: [['Accept', accept]] })
    expect(response.status).toBe(500)
    expect(headerOf(response.headers, 'Content-Type')).toBe(type)
    expect(response.text).toMatch(expected)
    expect(response.text).not.toContain('secret')
    expect(response.errorLines.join('\n')).toMatch(/a secret inside[\s\S]+error-page\.test\.ts/)
    expect(response.errors).toEqual([])
  })

  test.each<[string, Application]>([
    ['a rejection', async () => Promise.reject(new Error('x'))],
    [
      'an error after startResponse',
      (_environ, startResponse) => {
        startResponse('200 OK', [['X-Mine', '1']])
        throw new Error('x')
      },
    ],
    [
      'an error in the first chunk of a generator',
      (_environ, startResponse) => {
        startResponse('200 OK', [])
        return (function* (): Generator<Uint8Array> {
          yield new Uint8Array(0)
          throw new Error('x')
        })()
      },
    ],
    ['nothing at all thrown', throwing(undefined)],
  ])('answers %s', async (_name, application) => {
    const response = await requestInMemory(errorPage(application))
    expect([response.status, response.complete, response.text]).toEqual([500, true, 'Internal Server Error\n'])
    expect(headerOf(response.headers, 'X-Mine')).toBeUndefined()
  })

  test('after the head the response is cut short, and the gateway logs the error itself', async () => {
    const closed = vi.fn()
    const error = new Error('midway')
    const body: Body & { close(): void } = {
      *[Symbol.iterator]() {
        yield Buffer.from('one')
        throw error
      },
      close: closed,
    }
    const application: Application = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return body
    }
    const response = await requestInMemory(errorPage(application))
    expect([response.complete, response.text]).toEqual([false, 'one'])
    expect(response.errors).toEqual([error])
    expect(response.errorLines).toEqual([])
    expect(closed).toHaveBeenCalledTimes(1)
  })

  test('an error with a status is answered with it, but only with one that fits', async () => {
    const withStatus = (status: unknown) => throwing(Object.assign(new Error('x'), { status }))
    expect((await requestInMemory(errorPage(withStatus(404)))).statusLine).toBe('404 Not Found')
    expect((await requestInMemory(errorPage(withStatus(200)))).status).toBe(500)
    expect((await requestInMemory(errorPage(withStatus('404')))).status).toBe(500)
    const tooLarge = throwing(new TsgiError('TSGI_INPUT_TOO_LARGE', 'x'))
    expect((await requestInMemory(errorPage(tooLarge))).status).toBe(413)
  })

  test('what works is not changed: arrays keep their length, file bodies their identity, HEAD its silence', async () => {
    const sized = await requestInMemory(
      errorPage((_environ, startResponse) => {
        startResponse('200 OK', [])
        return [Buffer.from('abc')]
      }),
    )
    expect(headerOf(sized.headers, 'Content-Length')).toBe('3')
    let made: unknown
    const seen: unknown[] = []
    const file: Application = (environ, startResponse) => {
      startResponse('200 OK', [])
      const body = environ['tsgi.file_wrapper']?.({ path: import.meta.filename }) ?? []
      made = body
      return body
    }
    const fileSize = (body: unknown) => {
      seen.push(body)
      return undefined
    }
    await requestInMemory(errorPage(file), {}, { extensions: [['tsgi.file_wrapper', fileWrapper]], fileSize })
    expect(seen).toEqual([made])
    expect((await requestInMemory(errorPage(throwing(new Error('x'))), { method: 'HEAD' })).body.length).toBe(0)
  })
})

describe('the error page in development', () => {
  test('shows message, cause, source and stack, with everything escaped', async () => {
    const application = errorPage(throwing(new Error('<b>bad</b>', { cause: new RangeError('deeper') })), {
      development: true,
    })
    const { text } = await requestInMemory(application, { headers: HTML })
    expect(text).toContain('Error: &#60;b&#62;bad&#60;/b&#62;')
    expect(text).toContain('Caused by RangeError: deeper')
    expect(text).toContain('error-page.test.ts:')
    expect(text).toMatch(/<span class="marked"><i>\d+<\/i>.*new Error\(/)
    expect(text).not.toContain('<b>bad')
  })

  test('shows the environ with its secrets masked', async () => {
    const application = errorPage(throwing(plain), { development: true })
    const headers = [
      ...HTML,
      ['Cookie', 'session=s3cret'],
      ['Authorization', 'Bearer s3cret'],
      ['X-Api-Key', 's3cret'],
      ['X-Plain', 'caf\u00c3\u00a9 <i>'],
    ] as const
    const { text } = await requestInMemory(application, { path: '/x?token=s3cret&page=2', headers })
    expect(text).not.toContain('s3cret')
    expect(text).toContain('<th>HTTP_X_PLAIN</th><td>café &#60;i&#62;</td>')
    expect(text).toContain('token=(masked)&#38;page=2')
  })

  test.each([
    ['stands in the message', (error: Error) => error],
    [
      'stood in the message that the error was made with',
      (error: Error) => Object.assign(error, { stack: error.stack, message: 'not found' }),
    ],
  ])('no file is read of a place that %s', async (_what, made) => {
    const folder = tempDir('tsgi-page-')
    const [secret, pipe] = [join(folder, 'secret'), join(folder, 'pipe.js')]
    const content = randomUUID()
    writeFileSync(secret, content)
    execFileSync('mkfifo', [pipe])
    for (const place of [secret, pipe]) {
      const error = made(new Error(`no such article: x\n    at x (${place}:1:1)`))
      const { text } = await requestInMemory(errorPage(throwing(error), { development: true }), { headers: HTML })
      expect(text).not.toContain(content)
    }
  })

  test('a file that is gone is no second error', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsgi-page-'))
    const file = join(folder, 'app.mjs')
    writeFileSync(file, 'export const fail = () => { throw new Error("gone") }')
    const { fail } = await import(/* @vite-ignore */ file)
    rmSync(folder, { recursive: true })
    const { text, status } = await requestInMemory(errorPage(fail, { development: true }), { headers: HTML })
    expect([status, text.includes('gone')]).toEqual([500, true])
  })

  test('a circle of causes ends', async () => {
    const error = new Error('first')
    error.cause = new Error('second', { cause: error })
    const { text } = await requestInMemory(errorPage(throwing(error), { development: true }), { headers: HTML })
    expect(text.match(/<h1>/g)).toHaveLength(2)
  })

  test('is refused in production', () => {
    vi.stubEnv('NODE_ENV', 'production')
    expect(() => errorPage(throwing(0), { development: true })).toThrow(/NODE_ENV is production/)
    expect(() => errorPage(throwing(0))).not.toThrow()
  })
})
