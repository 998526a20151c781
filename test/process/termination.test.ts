/** Applications that listen for SIGTERM, as those that a platform stops do: to close what they have open, and to end. */

import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { isAlive } from '../support/proc.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

/** Answers `/slow` after a third of a second, and says so. @param onTerm runs in its SIGTERM listener */
const listening = (onTerm: string): string => `
import http from 'node:http'
const server = http.createServer((request, response) => {
  if (request.url !== '/slow') return response.end('fast')
  console.log('begun')
  setTimeout(() => {
    console.log('said: answered')
    response.end('slow')
  }, 300)
})
server.listen(3000)
process.on('exit', () => console.log('said: exit'))
process.on('SIGTERM', onTerm)
function onTerm(signal) {
  console.log('said: ' + signal)
  ${onTerm}
}
`

async function serving(code: string, args: readonly string[] = []): Promise<{ tsgi: Tsgi; slow: Promise<string> }> {
  const directory = tempDir('tsgi-termination-')
  const socket = join(directory, 'app.sock')
  writeFileSync(join(directory, 'app.mjs'), code)
  const tsgi = await startTsgi({ app: 'app.mjs', cwd: directory, args: ['--uwsgi', socket, '--workers', '1', ...args] })
  const slow = askOver(connect(socket), { protocol: 'uwsgi', path: '/slow' }).then(({ body }) => String(body))
  await tsgi.waitForLog(/begun/)
  return { tsgi, slow }
}

const said = ({ process }: Tsgi): string[] =>
  process.lines.flatMap((line) => (line.startsWith('said: ') ? [line.slice('said: '.length)] : []))

test.each([
  [
    'that closes the server and then ends the process',
    "server.close(() => console.log('said: closed', process.exit(0)))",
  ],
  [
    'that takes itself off and sends the signal again',
    "process.off('SIGTERM', onTerm); process.kill(process.pid, signal)",
  ],
  ['that only closes what it has open', "setTimeout(() => console.log('said: cleaned up'), 50)"],
])('a listener %s runs after the last response, and the worker leaves', async (_what, onTerm) => {
  const { tsgi, slow } = await serving(listening(onTerm))
  tsgi.signal('SIGTERM')
  expect(await slow).toBe('slow')
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
  expect(said(tsgi).slice(0, 2)).toEqual(['answered', 'SIGTERM'])
  if (onTerm.includes('cleaned up')) expect(said(tsgi).slice(2)).toEqual(['cleaned up', 'exit'])
  const messages = tsgi.records().map(({ msg }) => String(msg))
  expect(messages.filter((message) => / died|has not ended/.test(message))).toEqual([])
})

test('a SIGTERM to the worker itself, with a listener that ends it at once, lets the request in flight finish', async () => {
  const { tsgi, slow } = await serving(listening('process.exit(0)'))
  const worker = await onlyWorker(tsgi)
  process.kill(worker, 'SIGTERM')
  expect(await slow).toBe('slow')
  await until('it has left', () => !isAlive(worker))
  expect(said(tsgi)).toEqual(['answered', 'SIGTERM', 'exit'])
})

test('an application that goes on after its SIGTERM is left as it is when the grace is over', async () => {
  const { tsgi } = await serving(listening('setInterval(() => undefined, 1000)'), ['--graceful-timeout', '1'])
  tsgi.signal('SIGTERM')
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
  await tsgi.waitForLog(/"level":"warn".*the application has not ended \d+ ms after its SIGTERM/)
})
