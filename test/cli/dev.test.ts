import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { freePort } from '../support/ports.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

beforeAll(setup)

test('dev serves over HTTP with one worker, whatever production says, and reloads when a file changes', async () => {
  const folder = tempDir('tsgi-dev-')
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('tsgi.config.json', '{ "workers": 7, "uwsgi": "/nowhere/app.sock", "user": "nobody" }')
  write('greeting.mjs', `export const greeting = 'Hello'`)
  write(
    'app.mjs',
    `import { greeting } from './greeting.mjs'
     export const application = (environ, startResponse) => {
       startResponse('200 OK', [['Content-Type', 'text/plain']])
       return [new TextEncoder().encode(greeting)]
     }`,
  )
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const dev = startServer({
    name: 'tsgi dev',
    command: process.execPath,
    args: [commandLine, 'dev', 'app.mjs', '--http', `127.0.0.1:${port}`],
    cwd: folder,
  })
  const answer = async () => (await fetch(url, { headers: { connection: 'close' } })).text()

  await dev.waitForLog(/ready: 1 worker/)
  expect(dev.lines).toContain(`tsgi dev: ${url}`)
  expect(await answer()).toBe('Hello')

  write('greeting.mjs', `export const greeting = 'Good day'`)
  await dev.waitForLog(/greeting\.mjs changed/)
  await until('the new greeting', async () => (await answer()) === 'Good day')

  // A mistake leaves what worked in place, and says what is wrong.
  const fromLine = dev.lines.length
  write('greeting.mjs', `export const greeting = `)
  await dev.waitForLog(/SyntaxError|Unexpected/, { fromLine })
  expect(await answer()).toBe('Good day')
  expect(await dev.stop()).toMatchObject({ code: 0 })
})
