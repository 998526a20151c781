/** `tsgi.errors` in the error log of the front server, where that is asked for. */

import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { httpRequest } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

const APPLICATION = `
const encode = (text) => new TextEncoder().encode(text)
export const application = (environ, startResponse) => {
  environ['tsgi.errors'].write('caf\\u00e9 is closed\\n')
  startResponse('200 OK', [])
  return (function* () {
    yield encode('answer')
    environ['tsgi.errors'].write('in its body\\n')
  })()
}`

async function serve(...args: string[]) {
  const cwd = tempDir('tsgi-stderr-')
  const [fastcgi, uwsgi] = [join(cwd, 'fastcgi.sock'), join(cwd, 'uwsgi.sock')]
  writeFileSync(join(cwd, 'app.mjs'), APPLICATION)
  const listeners = ['--fastcgi', fastcgi, '--uwsgi', uwsgi]
  const tsgi = await startTsgi({ app: 'app.mjs', cwd, args: [...listeners, '--workers', '1', ...args] })
  return { tsgi, fastcgi, uwsgi }
}

test('with --fastcgi-stderr lines go into the log and over FastCGI, while the response lasts', async () => {
  const { tsgi, fastcgi, uwsgi } = await serve('--fastcgi-stderr')
  const answer = await askOver(connect(fastcgi), { protocol: 'fastcgi', path: '/' })
  expect(answer).toMatchObject({ status: 200, problem: undefined, errors: 'café is closed\nin its body\n' })
  expect(String(answer.body)).toBe('answer')
  await tsgi.waitForLog(/"msg":"in its body"/)
  const other = await askOver(connect(uwsgi), { protocol: 'uwsgi', path: '/' })
  expect(other).toMatchObject({ status: 200, errors: '' })
  expect(String(other.body)).toBe('answer')
})

test('without it they go into the log alone', async () => {
  const { tsgi, fastcgi } = await serve()
  expect(await askOver(connect(fastcgi), { protocol: 'fastcgi', path: '/' })).toMatchObject({ status: 200, errors: '' })
  await tsgi.waitForLog(/"msg":"in its body"/)
})

describeWith(['nginx'], 'behind nginx', () => {
  test('they are in its error log', async () => {
    const { fastcgi } = await serve('--fastcgi-stderr')
    const site = { file: 'fastcgi.conf', substitutions: { 'unix:/run/tsgi/app.sock': `unix:${fastcgi}` } }
    const front = await startNginx({ sites: [site] })
    expect(await httpRequest(front, { path: '/' })).toMatchObject({ status: 200 })
    await front.process.waitForLog(/FastCGI sent in stderr: "café is closed/)
  })
})
