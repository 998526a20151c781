import { cpSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runTsgi } from '../cli/run-tsgi.ts'
import { childPids } from '../support/proc.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine, startTsgi } from '../support/tsgi.ts'

/** Answers its version and the folder that it is in. */
function release(folder: string, version: string): void {
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(folder, 'app.ts'),
    `export const application = (environ: unknown, startResponse: Function) => {
       startResponse('200 OK', [])
       return [new TextEncoder().encode('${version} in ' + process.cwd())]
     }`,
  )
  writeFileSync(join(folder, 'tsgi.config.ts'), "export default { app: 'app.ts', workers: 1 }")
}

test.each([
  [
    'a link that leads to another release',
    (home: string) => {
      release(join(home, 'first'), 'one')
      symlinkSync('first', join(home, 'current'))
    },
    (home: string) => {
      release(join(home, 'second'), 'two')
      symlinkSync('second', join(home, 'next'))
      renameSync(join(home, 'next'), join(home, 'current'))
      rmSync(join(home, 'first'), { recursive: true })
    },
    'second',
  ],
  [
    'a folder that was deleted and made anew',
    (home: string) => release(join(home, 'current'), 'one'),
    (home: string) => {
      rmSync(join(home, 'current'), { recursive: true })
      release(join(home, 'current'), 'two')
    },
    'current',
  ],
])('a reload finds %s, and its workers are in it', async (_, before, replace, folder) => {
  const home = realpathSync(tempDir('tsgi-release-'))
  before(home)
  const cwd = join(home, 'current')
  const [socket, control] = [join(home, 'a.sock'), join(home, 'c.sock')]
  const args = ['--uwsgi', socket, '--control', control]
  const tsgi = await startTsgi({ app: 'app.ts', args, cwd, env: { PWD: cwd } })
  replace(home)
  const reloaded = await runTsgi(['ctl', 'reload', '--control', control])
  expect(reloaded).toMatchObject({ code: 0 })
  const { stdout } = await runTsgi(['request', '--uwsgi', socket, '/'])
  expect(stdout).toBe(`two in ${join(home, folder)}`)
  await tsgi.stop()
})

const root = join(commandLine, '..', '..', '..')

/** As npm installs it, with what it needs where Node looks for that. */
function installIn(folder: string, version: string): void {
  const installed = join(folder, 'node_modules', 'tsgi')
  cpSync(join(root, 'dist'), join(installed, 'dist'), { recursive: true })
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ name: 'tsgi', type: 'module', version }))
  symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'))
  mkdirSync(join(folder, 'node_modules', '.bin'))
  symlinkSync('../tsgi/dist/cli/main.js', join(folder, 'node_modules', '.bin', 'tsgi'))
}

test.each([
  ['by the name of the link', (current: string) => join(current, 'node_modules', '.bin', 'tsgi')],
  ['from within it', () => join('node_modules', '.bin', 'tsgi')],
])('tsgi that is part of a release, started %s, goes on as that of the next one', async (_, program) => {
  const home = realpathSync(tempDir('tsgi-release-'))
  const current = join(home, 'current')
  const [socket, control] = [join(home, 'a.sock'), join(home, 'c.sock')]
  const deploy = (folder: string, answer: string, version: string): void => {
    release(join(home, folder), answer)
    installIn(join(home, folder), version)
    symlinkSync(folder, join(home, 'next'))
    renameSync(join(home, 'next'), current)
  }
  deploy('first', 'one', '1.0.0')
  const server = startServer({
    name: 'tsgi',
    command: process.execPath,
    args: [program(current), 'serve', 'app.ts', '--uwsgi', socket, '--control', control],
    env: { NODE_ENV: 'production', PWD: current },
    cwd: current,
  })
  await server.waitForLog(/"msg":"ready/)

  deploy('second', 'two', '1.0.0')
  rmSync(join(home, 'first'), { recursive: true })
  // Without a reload even: one that dies is replaced.
  const fromLine = server.lines.length
  for (const pid of childPids(server.pid)) process.kill(pid, 'SIGKILL')
  await server.waitForLog(/worker 1 \(pid \d+\) is ready/, { fromLine })
  const reload = (): ReturnType<typeof runTsgi> => runTsgi(['ctl', 'reload', '--control', control])
  expect(await reload()).toMatchObject({ code: 0 })
  const ask = async (): Promise<string> => (await runTsgi(['request', '--uwsgi', socket, '/'])).stdout
  expect(await ask()).toBe(`two in ${join(home, 'second')}`)

  deploy('third', 'three', '2.0.0')
  const refused = await reload()
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/tsgi 2\.0\.0 is installed by now, and the master that runs is 1\.0\.0: restart it\n$/)
  expect(await ask()).toBe(`two in ${join(home, 'second')}`)
  await server.stop()
})
