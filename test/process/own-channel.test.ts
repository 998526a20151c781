import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

test.each([
  ['process.disconnect()', 'process.disconnect()'],
  ["node:process's", "import { disconnect } from 'node:process'; disconnect()"],
])('an application that calls %s is served, and stopped as any other', async (_name, call) => {
  const cwd = tempDir('tsgi-channel-')
  const application = `export const application = (environ, startResponse) => {
    startResponse('200 OK', [])
    return []
  }`
  writeFileSync(join(cwd, 'app.mjs'), `${call}\n${application}`)
  const args = ['--uwsgi', './app.sock', '--workers', '1', '--graceful-timeout', '600']
  const tsgi = await startTsgi({ app: 'app.mjs', cwd, args })
  const { status } = await askOver(connect(join(cwd, 'app.sock')), { protocol: 'uwsgi', path: '/' })
  expect(status).toBe(200)
  await tsgi.waitForLog(/process\.disconnect\(\): the channel .* stays open/)
  tsgi.signal('SIGTERM')
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
})
