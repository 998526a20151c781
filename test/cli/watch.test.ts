import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { watchSources } from '../../src/cli/watch.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'

const fail = (why: string): never => {
  throw new Error(why)
}

test('a change of a source file is told once, wherever it is, and no other change', async () => {
  const folder = tempDir('tsgi-watch-')
  for (const name of ['lib', 'node_modules', '.git']) mkdirSync(join(folder, name))
  const seen: string[] = []
  using _watch = watchSources(folder, { changed: (path) => seen.push(path), ended: fail })

  for (const name of ['node_modules/a.ts', '.git/b.ts', '.c.ts', 'app.log']) writeFileSync(join(folder, name), '1')
  writeFileSync(join(folder, 'lib', 'd.ts'), '1')
  writeFileSync(join(folder, 'lib', 'd.ts'), '2')
  await until('the change in lib', () => seen.length > 0)
  expect(seen).toEqual([join('lib', 'd.ts')])

  mkdirSync(join(folder, 'new', 'deep'), { recursive: true })
  writeFileSync(join(folder, 'new', 'deep', 'e.tsx'), '1')
  await until('the file in a folder that is new', () => seen.length > 1)
  expect(seen[1]).toBe(join('new', 'deep', 'e.tsx'))

  rmSync(join(folder, 'lib'), { recursive: true })
  await until('the removal', () => seen.length > 2)
  expect(seen[2]).toBe(join('lib', 'd.ts'))
})

test('changes without a pause are told while they go on', async () => {
  const folder = tempDir('tsgi-watch-')
  const seen: string[] = []
  using _watch = watchSources(folder, { changed: (path) => seen.push(path), ended: fail })
  await until('the first change', () => {
    writeFileSync(join(folder, 'a.ts'), String(performance.now()))
    return seen.length > 0
  })
  expect(seen).toEqual(['a.ts'])
})

test('a folder that is gone before it can be watched is none, and the rest is watched on', async () => {
  const folder = tempDir('tsgi-watch-')
  const seen: string[] = []
  using _watch = watchSources(folder, { changed: (path) => seen.push(path), ended: fail })
  const make = `for (let i = 0; i < 2000; i++) { fs.mkdirSync('new'); fs.rmdirSync('new') }`
  const builder = spawn(process.execPath, ['-e', make], { cwd: folder, stdio: 'inherit' })
  expect(await once(builder, 'exit')).toEqual([0, null])
  writeFileSync(join(folder, 'a.ts'), '1')
  await until('the change', () => seen.includes('a.ts'))
})
