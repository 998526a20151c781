/** tsgi's own files are replaced, or removed, under a master that runs. */

import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runTsgi } from '../cli/run-tsgi.ts'
import { freePort } from '../support/ports.ts'
import { childPids } from '../support/proc.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const root = join(commandLine, '..', '..', '..')

function install(): string {
  const folder = tempDir('tsgi-installed-')
  for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(folder, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'app.mjs'), 'export const application = (environ, start) => (start("200 OK", []), [])')
  return folder
}

/** Ready, and of one worker. */
async function serve(folder: string, ...args: string[]): Promise<ServerProcess> {
  const listener = ['--uwsgi', join(folder, 'a.sock'), '--workers', '1']
  const server = startServer({
    name: 'tsgi',
    command: process.execPath,
    args: [join(folder, 'dist', 'cli', 'main.js'), 'serve', join(folder, 'app.mjs'), ...listener, ...args],
    env: { NODE_ENV: 'production' },
  })
  await server.waitForLog(/"msg":"ready/)
  return server
}

function edit(file: string, from: string | RegExp, to: string): void {
  const before = readFileSync(file, 'utf8')
  const after = before.replace(from, to)
  expect(after).not.toBe(before)
  writeFileSync(file, after)
}

test('a reload refuses another version and the old workers go on; a worker that has to be replaced is, and what is wrong is said', async () => {
  const folder = install()
  const control = join(folder, 'c.sock')
  const server = await serve(folder, '--control', control)
  const [first] = childPids(server.pid)

  edit(join(folder, 'package.json'), /"version": "[^"]+"/, '"version": "9.9.9"')
  const reloaded = await runTsgi(['ctl', 'reload', '--control', control])
  expect(reloaded.code).toBe(1)
  expect(reloaded.stderr).toMatch(/tsgi 9\.9\.9 is installed by now, and the master that runs is [\d.]+: restart it\n$/)
  expect(childPids(server.pid)).toEqual([first])

  const kill = async (): Promise<number> => {
    const pid = await until('a worker', () => childPids(server.pid)[0])
    process.kill(pid, 'SIGKILL')
    return server.lines.length
  }
  let fromLine = await kill()
  await server.waitForLog(/"level":"warn".*tsgi 9\.9\.9 is installed by now/, { fromLine })
  await server.waitForLog(/worker 1 \(pid \d+\) is ready/, { fromLine })

  edit(join(folder, 'dist', 'message-schemas.js'), 'slot: ', 'seat: count, slot: ')
  fromLine = await kill()
  await server.waitForLog(/could not start: this worker is of tsgi 9\.9\.9 and does not understand the master/, {
    fromLine,
  })

  for (const name of ['dist', 'package.json']) rmSync(join(folder, name), { recursive: true })
  await server.waitForLog(
    /worker 1 \(pid none\) died: it could not be started: the files of tsgi \S+, which runs, are gone/,
  )
  expect(server.lines.filter((line) => line.includes('something in the application'))).toEqual([])
})

test('metrics are served on where all files of tsgi and its packages are gone', async () => {
  const folder = install()
  const port = await freePort()
  await serve(folder, '--metrics', `127.0.0.1:${port}`)
  for (const name of ['dist', 'package.json', 'node_modules']) rmSync(join(folder, name), { recursive: true })
  const response = await fetch(`http://127.0.0.1:${port}/metrics`)
  expect(response.status).toBe(200)
  expect(await response.text()).toContain('tsgi_workers')
})
