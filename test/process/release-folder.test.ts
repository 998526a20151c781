import { mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runTsgi } from '../cli/run-tsgi.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

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
