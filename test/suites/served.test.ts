/** The suites themselves are fetched and run by `npm run test:suites` alone; that they would be served by tsgi is seen here. */

import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { tempDir } from '../support/temp-dir.ts'
import type { SuiteProtocol } from './suite.ts'

beforeAll(setup)

const replacement = pathToFileURL(join(import.meta.dirname, 'served', 'replace.mjs')).href

/** Tells who carries a request: `Socket` of node:net on node:http, `ClientSocket` on tsgi. */
const SUITE = `
  import http from 'node:http'
  const server = http.createServer((request, response) => response.end(request.url + ' ' + request.socket.constructor.name))
  server.listen(0, async () => {
    const response = await fetch('http://127.0.0.1:' + server.address().port + '/path?query')
    process.stdout.write(await response.text())
    server.close()
  })`

async function served(parameters: readonly string[], protocol?: SuiteProtocol): Promise<string> {
  const file = join(tempDir('tsgi-suite-'), 'suite.mjs')
  writeFileSync(file, SUITE)
  const env = { ...process.env, ...(protocol && { TSGI_SUITE_PROTOCOL: protocol }) }
  return (await promisify(execFile)(process.execPath, [...parameters, file], { env })).stdout
}

test.each(['fastcgi', 'uwsgi'] as const)('a server of a suite is served by tsgi, over %s', async (protocol) => {
  expect(await served(['--import', replacement], protocol)).toBe('/path?query ClientSocket')
})

test('and by node:http without the replacement', async () => {
  expect(await served([])).toBe('/path?query Socket')
})
