import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { logicalFolder } from '../../src/cli/working-folder.ts'
import { tempDir } from '../support/temp-dir.ts'

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
