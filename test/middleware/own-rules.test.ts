/** What tsgi brings keeps the rules that it checks, around applications of every kind. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { Application, Body, Environ, Middleware, StartResponse } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { basicAuth } from '../../src/middleware/basic-auth.ts'
import { mapBody, tapBody } from '../../src/middleware/body.ts'
import { dispatch } from '../../src/middleware/dispatch.ts'
import { errorPage } from '../../src/middleware/error-page.ts'
import { onHead } from '../../src/middleware/head.ts'
import { limitBody, limitTime } from '../../src/middleware/limits.ts'
import { proxyFix } from '../../src/middleware/proxy-fix.ts'
import { requestId } from '../../src/middleware/request-id.ts'
import { staticFiles } from '../../src/middleware/static-files.ts'
import { validate } from '../../src/middleware/validate.ts'
import { validateMiddleware } from '../../src/middleware/validate-middleware.ts'
import { fileSize, fileWrapper } from '../../src/worker/file-wrapper.ts'
import { tempDir } from '../support/temp-dir.ts'

const folder = tempDir()
const path = join(folder, 'file')
writeFileSync(path, 'of a file')

const own: Readonly<Record<string, Middleware>> = {
  dispatch: (application) => dispatch({ '/mount': application }),
  errorPage: (application) => errorPage(application),
  requestId: (application) => requestId(application),
  limitTime: (application) => limitTime(application, 10_000),
  limitBody: (application) => limitBody(application, 100),
  basicAuth: (application) => basicAuth(application, { users: () => true }),
  proxyFix: (application) => proxyFix(application, { hops: 1, trust: ['for'] }),
  staticFiles: (application) => staticFiles(folder, { otherwise: application }),
  onHead: (application) => onHead(application, (head) => head),
  mapBody: (application) => async (environ, startResponse) =>
    mapBody(await application(environ, startResponse), (chunk) => chunk),
  tapBody: (application) => async (environ, startResponse) => tapBody(await application(environ, startResponse), {}),
  validate: (application) => validate(application),
}

const start = (startResponse: StartResponse): void => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
}
const started =
  (body: (environ: Environ) => Body): Application =>
  (environ, startResponse) => {
    start(startResponse)
    return body(environ)
  }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const applications: Readonly<Record<string, Application>> = {
  array: started(() => [bytes('a')]),
  generator: started(function* () {
    yield bytes('a')
    yield bytes('')
    yield bytes('b')
  }),
  'async generator': started(async function* () {
    yield bytes('a')
    yield bytes('b')
  }),
  stream: started(() => Readable.from([bytes('a'), bytes('b')])),
  file: started((environ) => environ['tsgi.file_wrapper']?.({ path }) ?? []),
  echo: started((environ) => environ['tsgi.input']),
  'a late start': (_environ, startResponse) =>
    (function* () {
      start(startResponse)
      yield bytes('a')
    })(),
  write: async (_environ, startResponse) => {
    await startResponse('200 OK', [['Content-Type', 'text/plain']])(bytes('a'))
    return [bytes('b')]
  },
  'no body': (_environ, startResponse) => {
    startResponse('204 No Content', [])
    return []
  },
  throw: () => {
    throw new Error('fails')
  },
  rejection: async () => {
    throw new Error('fails')
  },
  'a throw in the body': started(function* () {
    yield* []
    throw new Error('fails')
  }),
  'a throw in a body that did not start': () =>
    // biome-ignore lint/correctness/useYield: it fails before
    (function* () {
      throw new Error('fails')
    })(),
  'excInfo of its own': (_environ, startResponse) => {
    start(startResponse)
    startResponse('500 Oops', [['Content-Type', 'text/plain']], new Error('own'))
    return [bytes('sorry')]
  },
}

test.each(Object.entries(own))('%s', async (name, middleware) => {
  for (const [kind, application] of Object.entries(applications)) {
    for (const method of ['GET', 'HEAD', 'POST']) {
      const found: string[] = []
      const checked = validateMiddleware(middleware, { onViolation: (violation) => found.push(violation) })
      const request = {
        method,
        path: '/mount/x',
        headers: [['Authorization', `Basic ${btoa('a:b')}`]] as const,
        ...(method === 'POST' ? { body: 'a line\nand half of one' } : {}),
      }
      const services = { extensions: [['tsgi.file_wrapper', fileWrapper]] as const, fileSize }
      const plain = await requestInMemory(application, request, services)
      const { status, text } = await requestInMemory(checked(application), request, services)
      const said = `${name}, ${kind}, ${method}`
      expect(found, said).toEqual([])
      expect(status, said).toBe(plain.status)
      if (status === 200) expect(text, said).toBe(plain.text)
    }
  }
})
