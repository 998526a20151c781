import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine } from '../support/tsgi.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

interface LogLine {
  readonly time: string
  readonly level: string
  readonly msg: string
  readonly err?: { readonly type: string; readonly message: string; readonly stack: string }
}

describe('what keeps workers from starting is told once, as what it is', () => {
  /** @returns what the log has on the level `error`: a line */
  async function failure(args: readonly string[], files: Readonly<Record<string, string>> = {}) {
    const cwd = tempDir('tsgi-serve-')
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
    const serve = ['serve', ...args, '--uwsgi', './app.sock', '--workers', '1', '--log-format', 'json']
    const { code, stderr } = await runTsgi(serve, { cwd })
    // pino's own lines.
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as LogLine)
    const errors = lines.filter(({ level }) => level === 'error')
    expect(errors).toHaveLength(1)
    expect(existsSync(join(cwd, 'app.sock'))).toBe(false)
    const [first, last] = [lines.at(0), lines.at(-1)].map((line) => Date.parse(line?.time ?? ''))
    return { code, error: errors[0], tookMs: Number(last) - Number(first) }
  }

  test('an application that is not there, without a stack of tsgi', async () => {
    const { code, error } = await failure(['gone.mjs'])
    expect(code).toBe(3)
    expect(error?.msg).toMatch(/^worker 1 \(pid \d+\) could not load the application: there is no file .*gone\.mjs$/)
    expect(error?.err).toBeUndefined()
  })

  test('an application that fails as it is loaded, with its stack and those of its causes', async () => {
    const cause = `new Error('refused', { cause: new RangeError('no such port') })`
    const { code, error } = await failure(['app.mjs'], {
      'app.mjs': `throw new Error('no database', { cause: ${cause} })`,
    })
    expect(code).toBe(3)
    expect(error?.msg).toContain('could not load the application: app.mjs could not be loaded: no database')
    expect(error?.err?.type).toBe('Error')
    expect(error?.err?.stack).toMatch(
      /^Error: no database\n[\s\S]*app\.mjs:1:[\s\S]*\ncaused by: Error: refused\n[\s\S]*\ncaused by: RangeError: no such port\n/,
    )
    expect(error?.err?.stack).not.toContain('TsgiError')
  })

  test.each([
    [
      'says that it failed',
      `await send({ type: 'lifespan.startup.failed', message: 'no database' })`,
      'lifespan startup failed: ',
    ],
    ['throws', `throw new Error('no database')`, ''],
  ])('an application whose startup %s, with its stack', async (_how, fails, said) => {
    const { code, error } = await failure(['app.mjs', '--interface', 'async'], {
      'app.mjs': `export const application = async (_scope, receive, send) => {
        await receive()
        ${fails}
      }`,
    })
    expect(code).toBe(3)
    expect(error?.msg).toMatch(/^worker 1 \(pid \d+\) could not load the application: /)
    expect(error?.msg).toContain(`: ${said}no database`)
    expect(error?.err?.stack).toMatch(/^Error: .*no database\n[\s\S]*app\.mjs:3:/)
  })

  test('an application that exports nothing, as soon as nothing is left that could make it listen', async () => {
    const { code, error, tookMs } = await failure(['app.mjs'], { 'app.mjs': 'export const handler = 1' })
    expect(code).toBe(3)
    expect(error?.msg).toContain('app.mjs exports handler (1); wanted: an export named application')
    // One that is still busy with something is waited for, for five seconds.
    expect(tookMs).toBeLessThan(4000)
  })

  test('a log file that cannot be opened is not taken for a mistake of the application', async () => {
    const args = ['app.mjs', '--access-log', 'json', '--access-log-file', 'no/such/folder.log']
    const { code, error } = await failure(args, { 'app.mjs': 'export const application = () => []' })
    expect(code).toBe(2)
    expect(error?.msg).toMatch(/^worker 1 \(pid \d+\) could not start: cannot open the log file .*folder\.log: ENOENT/)
    expect(error?.err).toBeUndefined()
  })
})

test.runIf(process.getuid?.() === 0)('a socket that is left behind and may not be removed is told of, with 4', () => {
  const cwd = tempDir('tsgi-serve-')
  const socket = join(cwd, 'app.sock')
  writeFileSync(join(cwd, 'app.mjs'), 'export const application = () => []')
  const leave = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', leave])
  chmodSync(socket, 0o666)
  const args = [commandLine, 'serve', 'app.mjs', '--uwsgi', socket]
  const { status, stderr } = spawnSync(process.execPath, args, { uid: 65_534, gid: 65_534, encoding: 'utf8', cwd })
  expect(stderr).toMatch(/app\.sock: a socket that nobody serves is there and user 65534 may not remove it \(EACCES\)/)
  expect(stderr).not.toContain('    at ')
  expect(status).toBe(4)
})

test.each([
  ['fatal', 'app.mjs'],
  ['silent', 'app.mjs'],
  ['silent', 'gone.mjs'],
])('with --log-level %s the reason why %s cannot be served is on standard error, once', async (level, app) => {
  const cwd = tempDir('tsgi-serve-')
  writeFileSync(join(cwd, 'app.mjs'), `throw new Error('no database')`)
  const args = [app, '--workers', '1', '--log-level', level, '--log-file', 'tsgi.log']
  const { code, stderr } = await runTsgi(['serve', ...args, '--uwsgi', './app.sock'], { cwd })
  expect(code).toBe(3)
  const [first = '', ...stack] = stderr.trimEnd().split('\n')
  if (app === 'app.mjs') {
    expect(first).toMatch(/^tsgi: ended with exit code 3: .*app\.mjs could not be loaded: no database$/)
    expect(stack.join('\n')).toMatch(/^Error: no database\n +at .*app\.mjs:1:/)
  } else {
    expect(first).toMatch(/^tsgi: ended with exit code 3: there is no file .*gone\.mjs$/)
    expect(stack).toEqual([])
  }
})

test('an application that listens late, between a timer and a timer, is waited for', async () => {
  const cwd = tempDir('tsgi-serve-')
  writeFileSync(
    join(cwd, 'app.mjs'),
    `import { readFile } from 'node:fs/promises'
     import { createServer } from 'node:http'
     import { setTimeout } from 'node:timers/promises'
     const start = async () => {
       for (let round = 0; round < 3; round++) {
         await setTimeout(300)
         await readFile('app.mjs')
       }
       createServer((_request, response) => response.end('late')).listen(3000)
     }
     void start()`,
  )
  const { code, stdout } = await runTsgi(['check', 'app.mjs', '--request', '/'], { cwd })
  expect(stdout).toContain('200 OK')
  expect(code).toBe(0)
})
