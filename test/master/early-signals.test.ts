import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runMaster } from '../../src/master/main.ts'
import { parseOptions } from '../../src/options/parse.ts'
import { tempDir } from '../support/temp-dir.ts'

// In this very process: between the first line of a master and its last before the workers, there is no moment to catch from outside.
test('signals that come before the workers are started: a reload is no news, a stop counts', async () => {
  const directory = tempDir()
  const [socket, logFile] = [join(directory, 'app.sock'), join(directory, 'tsgi.log')]
  const values = { uwsgi: [socket], pidfile: join(directory, 'tsgi.pid'), logFile, logFormat: 'json', workers: 1 }
  const file = { path: join(directory, 'tsgi.config.json'), values }
  const { options } = parseOptions({ flags: new Map(), environment: {}, cwd: directory, file })
  const ended = runMaster({
    application: join(directory, 'none.ts'),
    options,
    reload: () => Promise.reject(new Error('nobody was to read the options again')),
  })
  process.emit('SIGHUP', 'SIGHUP')
  process.emit('SIGUSR1', 'SIGUSR1')
  process.emit('SIGQUIT', 'SIGQUIT')
  expect(await ended).toEqual({ exitCode: 0, failure: undefined })
  const log = readFileSync(logFile, 'utf8')
  expect(log).toContain('SIGQUIT: stop')
  expect(log).not.toMatch(/SIGHUP|SIGUSR1|worker 1 starts/)
  expect([existsSync(socket), existsSync(values.pidfile)]).toEqual([false, false])
  expect(process.listenerCount('SIGQUIT')).toBe(0)
})
