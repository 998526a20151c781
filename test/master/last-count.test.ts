/** What a worker does before it leaves, and after it was last heard of, is in the numbers of the service. */

import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runTsgi } from '../cli/run-tsgi.ts'
import { askOver } from '../support/ask-over.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

test('the response with which a worker leaves is counted', async () => {
  const cwd = tempDir('tsgi-count-')
  writeFileSync(
    join(cwd, 'app.mjs'),
    `import { existsSync } from 'node:fs'
    import { setTimeout } from 'node:timers/promises'
    export const application = async (environ, startResponse) => {
      environ['tsgi.errors'].write('it waits\\n')
      while (!existsSync('go-on')) await setTimeout(10)
      startResponse('200 OK', [])
      return []
    }`,
  )
  const port = await freePort()
  const listeners = ['--uwsgi', './a.sock', '--control', './c.sock', '--metrics', `127.0.0.1:${port}`]
  const tsgi = await startTsgi({ app: 'app.mjs', cwd, args: [...listeners, '--workers', '1'] })
  const last = askOver(connect(join(cwd, 'a.sock')), { protocol: 'uwsgi', path: '/' })
  await tsgi.waitForLog(/it waits/)
  expect(await runTsgi(['ctl', 'reload', '--control', join(cwd, 'c.sock')])).toMatchObject({ code: 0 })
  writeFileSync(join(cwd, 'go-on'), '')
  expect((await last).status).toBe(200)
  await tsgi.waitForLog(/worker 1 \(pid \d+\) left/)
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toMatch(/^tsgi_responses_total\{class="2xx"\} 1$/m)
  expect(metrics).toMatch(/^tsgi_requests_total 1$/m)
  await tsgi.stop()
})
