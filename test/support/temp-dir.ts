import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeAfterTests } from './started.ts'

/** A new directory that every user may enter (Apache's workers are not root), removed after the tests of this file. */
export function tempDir(prefix = 'tsgi-test-'): string {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(directory, 0o755)
  removeAfterTests(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
