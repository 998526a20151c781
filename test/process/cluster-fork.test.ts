import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

test('an application that forks itself with node:cluster ends with 3 and is told who does that here', async () => {
  const cwd = tempDir('tsgi-cluster-')
  const fork = 'if (cluster.isPrimary) cluster.fork(); else http.createServer().listen(3000)'
  writeFileSync(join(cwd, 'app.mjs'), `import cluster from 'node:cluster'; import http from 'node:http'; ${fork}`)
  const tsgi = await startTsgi({
    app: 'app.mjs',
    cwd,
    args: ['--uwsgi', './app.sock', '--workers', '1'],
    waitUntilReady: false,
  })
  expect(await tsgi.process.exited).toEqual({ code: 3, signal: null })
  await tsgi.waitForLog(/could not load the application: .*cluster\.fork\(\) in .*the workers of tsgi \(--workers\)/)
})

test('an application that forks another program is let', async () => {
  const cwd = tempDir('tsgi-cluster-')
  writeFileSync(join(cwd, 'job.cjs'), "process.send('from the job')")
  const code = `
    const cluster = require('node:cluster')
    const http = require('node:http')
    cluster.setupPrimary({ exec: ${JSON.stringify(join(cwd, 'job.cjs'))} })
    const heard = new Promise((resolve) => cluster.fork().on('message', resolve))
    http.createServer((request, response) => heard.then((message) => response.end(message))).listen(3000)`
  writeFileSync(join(cwd, 'app.cjs'), code)
  await startTsgi({ app: 'app.cjs', cwd, args: ['--uwsgi', './app.sock', '--workers', '1'] })
  const { body } = await askOver(connect(join(cwd, 'app.sock')), { protocol: 'uwsgi', path: '/' })
  expect(String(body)).toBe('from the job')
})
