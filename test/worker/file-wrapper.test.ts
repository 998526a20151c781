import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FileLike, FileRef } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { fileSize, fileWrapper } from '../../src/worker/file-wrapper.ts'
import { tempDir } from '../support/temp-dir.ts'

const folder = tempDir()
const path = join(folder, 'ten')
writeFileSync(path, '0123456789')

const send = (file: FileRef | FileLike) =>
  requestInMemory(
    (_environ, startResponse) => {
      startResponse('200 OK', [])
      return fileWrapper(file)
    },
    {},
    { fileSize },
  )

test.each([
  [{}, '0123456789'],
  [{ start: 3, end: 6 }, '345'],
  [{ start: 8, end: 99 }, '89'],
  [{ start: 10 }, ''],
  [{ start: 99 }, ''],
  [{ start: 5, end: 3 }, ''],
  [{ end: Number.POSITIVE_INFINITY }, '0123456789'],
])('%j of a file is %j', async (range, text) => {
  const response = await send({ path, ...range })
  expect(response.text).toBe(text)
  expect(response.headers).toEqual([['Content-Length', String(text.length)]])
})

test.each([{ start: -5 }, { start: Number.NaN }, { start: 1.5 }, { end: -1 }, { end: Number.NaN }])(
  '%j is no range: other bytes than were meant would go out',
  (range) => {
    expect(() => fileWrapper({ path, ...range })).toThrow(RangeError)
  },
)

test('a file that is written while it is read is sent whole', async () => {
  const response = await send({ path: '/proc/self/limits' })
  expect(response.text).toBe(await readFile('/proc/self/limits', 'utf8'))
  expect(response.text).toContain('Max open files')
})

test('a pipe that nobody writes to is an error at once, and not a thread that waits for ever', async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const response = await send({ path: pipe })
  expect(response.status).toBe(500)
  expect(response.errors).toMatchObject([{ code: 'ESPIPE' }])
})
