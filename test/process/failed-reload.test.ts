import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

/** Of the new code the first worker loads, and its request is under way when the second one fails. */
const NEW_CODE = `
  import { existsSync, watch, writeFileSync } from 'node:fs'

  const there = (name) => new Promise((resolve) => {
    const watcher = watch('.', () => { if (existsSync(name)) { watcher.close(); resolve() } })
    if (existsSync(name)) { watcher.close(); resolve() }
  })
  try {
    writeFileSync('first', '', { flag: 'wx' })
  } catch {
    await there('asked')
    throw new Error('no database')
  }
  export const application = async (environ, startResponse) => {
    writeFileSync('asked', '')
    await there('go')
    startResponse('200 OK', [])
    return [Buffer.from('new')]
  }`

test('a reload that fails breaks no request off that a new worker has begun', async () => {
  const cwd = tempDir('tsgi-failed-reload-')
  const app = join(cwd, 'app.mjs')
  const oldCode = "export const application = (environ, start) => { start('200 OK', []); return [Buffer.from('old')] }"
  writeFileSync(app, oldCode)
  const args = ['--uwsgi', './app.sock', '--workers', '2', '--graceful-timeout', '600']
  const tsgi = await startTsgi({ app: 'app.mjs', cwd, args })
  const ask = (): Promise<string> =>
    askOver(connect(join(cwd, 'app.sock')), { protocol: 'uwsgi', path: '/' }).then(
      ({ status, body }) => `${status} ${String(body)}`,
    )
  writeFileSync(app, NEW_CODE)
  tsgi.signal('SIGHUP')
  const answers: Promise<string>[] = []
  await until('a new worker has a request', () => {
    answers.push(ask())
    return existsSync(join(cwd, 'asked'))
  })
  await tsgi.waitForLog(/drains: the reload failed|is told to leave: the reload failed/)
  writeFileSync(join(cwd, 'go'), '')
  const kinds = new Set(await Promise.all(answers))
  expect([...kinds].sort()).toEqual(['200 new', '200 old'])
  await until('only the old workers are left', () => tsgi.workerPids().length === 2)
  expect(await ask()).toBe('200 old')
})
