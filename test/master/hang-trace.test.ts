/** `--trace-hangs`: the log says where an event loop stands still, and which requests are in it. */

import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type LogRecord, onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'

interface Started {
  readonly tsgi: Tsgi
  readonly ask: (path: string) => Promise<number>
  /** Of all hangs so far: where, the innermost frame first, and in which requests. */
  readonly hangs: () => { readonly frames: readonly string[]; readonly requests: unknown }[]
}

/** The fifth line and the ninth are those that hang. */
const APPLICATION = `import { existsSync } from 'node:fs'
interface Environ { readonly PATH_INFO: string }
type StartResponse = (status: string, headers: [string, string][]) => void
function matches(text: string): boolean {
  return /^(a+)+$/.test(text)
}
async function waits(): Promise<void> {
  await null
  while (!existsSync('./go-on')) continue
}
export const application = async ({ PATH_INFO }: Environ, startResponse: StartResponse) => {
  if (PATH_INFO === '/pattern') matches('a'.repeat(40) + 'b')
  if (PATH_INFO === '/waits') await waits()
  startResponse('200 OK', [])
  return []
}`

async function started(args: readonly string[]): Promise<Started & { readonly cwd: string }> {
  const cwd = tempDir('tsgi-hang-')
  writeFileSync(join(cwd, 'package.json'), '{"type":"module"}')
  writeFileSync(join(cwd, 'app.ts'), APPLICATION)
  const tsgi = await startTsgi({ app: 'app.ts', cwd, args: ['--uwsgi', './app.sock', '--workers', '1', ...args] })
  onTestFinished(async () => void (await tsgi.stop()))
  const ask = async (path: string): Promise<number> =>
    (await askOver(connect(join(cwd, 'app.sock')), { protocol: 'uwsgi', path })).status
  return { tsgi, ask, hangs: () => tsgi.records().filter(isHang).map(told), cwd }
}

/** Others may be those of a busy machine. */
const isHang = ({ msg, requests }: LogRecord): boolean =>
  String(msg).startsWith('a hang: ') && Array.isArray(requests) && requests.length > 0

function told({ err, requests }: LogRecord): { readonly frames: readonly string[]; readonly requests: unknown } {
  const stack = String(Object(err).stack)
  return { frames: stack.split('\n').filter((line) => line.startsWith('    at ')), requests }
}

test('a loop that ends is told once, with its line and its request, and costs nobody else anything', async () => {
  const { tsgi, ask, hangs, cwd } = await started(['--trace-hangs', '1'])
  const pid = await onlyWorker(tsgi)
  expect(await ask('/')).toBe(200)
  const waiting = ask('/waits')
  await tsgi.waitForLog(/"msg":"a hang: /)
  writeFileSync(join(cwd, 'go-on'), '')
  expect(await waiting).toBe(200)
  expect(await ask('/')).toBe(200)
  expect(hangs()).toHaveLength(1)
  expect(hangs()[0]?.requests).toEqual(['GET /waits'])
  expect(hangs()[0]?.frames.join('\n')).toMatch(/ waits \(.*app\.ts:9:/)
  expect(await onlyWorker(tsgi)).toBe(pid)
})

test('a regular expression without end is told before the worker is ended for it', async () => {
  const { tsgi, ask, hangs } = await started(['--trace-hangs', '1', '--heartbeat-timeout', '3'])
  await Promise.allSettled([ask('/pattern?token=secret')])
  await tsgi.waitForLog(/died: SIGABRT: heartbeat timeout/)
  expect(hangs()).toHaveLength(1)
  expect(hangs()[0]?.requests).toEqual(['GET /pattern'])
  const { frames = [] } = hangs()[0] ?? {}
  expect(frames[0]).toContain('RegExp.test')
  expect(frames[1]).toMatch(/ matches \(.*app\.ts:5:/)
  // Neither ours nor those of Node.
  expect(frames.filter((frame) => !frame.includes('app.ts'))).toHaveLength(1)
})
