import { spawnSync } from 'node:child_process'
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { logicalFolder } from '../../src/cli/working-folder.ts'
import { setup } from '../support/build-setup.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine } from '../support/tsgi.ts'

beforeAll(setup)

test('a link to a release stays a link, so that a reload follows it to the next release', () => {
  const folder = realpathSync(tempDir())
  mkdirSync(join(folder, 'release-1'))
  mkdirSync(join(folder, 'other'))
  symlinkSync('release-1', join(folder, 'current'))
  const physical = join(folder, 'release-1')
  expect(logicalFolder(physical, join(folder, 'current'))).toBe(join(folder, 'current'))
  expect(logicalFolder(physical, join(folder, 'other'))).toBe(physical)
  expect(logicalFolder(physical, join(folder, 'gone'))).toBe(physical)
  expect(logicalFolder(physical, 'current')).toBe(physical)
  expect(logicalFolder(physical, undefined)).toBe(physical)
})

test('a shell in a folder that was replaced means the new one, and is told where there is none', () => {
  const folder = realpathSync(tempDir())
  const run = (meanwhile: string) => {
    const script = `mkdir app; cd app; rmdir "${folder}/app"; ${meanwhile}; "$0" "$1" --version`
    return spawnSync('sh', ['-c', script, process.execPath, commandLine], { cwd: folder, encoding: 'utf8' })
  }
  expect(run(':')).toMatchObject({
    status: 2,
    stderr: 'tsgi: the current folder does not exist any more: change to another\n',
  })
  expect(run(`mkdir "${folder}/app"`)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^tsgi /) })
})
