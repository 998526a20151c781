/** A real master around fake workers. Its options are a JSON file in the form of a configuration file, read anew by a reload. */

import { readFileSync } from 'node:fs'
import { asError, TsgiError } from '../../../src/errors.ts'
import { runMaster } from '../../../src/master/main.ts'
import { parseOptions } from '../../../src/options/parse.ts'
import { reloadOptions } from '../../../src/options/reload.ts'
import type { Options } from '../../../src/options/table.ts'

const [application = '', configPath = ''] = process.argv.slice(2)

function readOptions(): Options {
  const values: unknown = JSON.parse(readFileSync(configPath, 'utf8'))
  const file = { path: configPath, values: { ...(values as object) } }
  return parseOptions({ flags: new Map(), environment: {}, cwd: process.cwd(), file }).options
}

const options = readOptions()

try {
  const { exitCode } = await runMaster({
    application,
    options,
    reload: async () => reloadOptions(options, readOptions()),
    workerMain: new URL('./fake-worker.ts', import.meta.url).pathname,
  })
  process.exitCode = exitCode
} catch (thrown) {
  console.error(asError(thrown).message)
  process.exitCode = thrown instanceof TsgiError ? thrown.exitCode : 1
}
