/** What goes wrong on a machine: one line that says what to do, the right exit code, and no storm of restarts. */

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'
import { connectEngine } from './support/engine.ts'
import { prepareStack, type Stack } from './support/stack.ts'

const host = inject('dockerHost')
const engine = connectEngine(host)

/** Runs the image to its end. */
async function serve(...args: readonly string[]): Promise<{ code: number; lines: string[] }> {
  const flags = ['--rm', '--read-only', '--tmpfs', '/tmp', '--network', 'none', '--env', 'TSGI_LOG_FORMAT=pretty']
  const { code, output } = await engine.docker(['run', ...flags, ...args], { mayFail: true })
  return { code, lines: output.trimEnd().split('\n') }
}

/** What a reader's eye is drawn to; a stack may follow it. */
const errorsOf = (lines: readonly string[]) => lines.filter((line) => line.includes(' ERROR '))

function applicationFolder(text: string, mode = 0o644): string {
  const folder = tempDir()
  writeFileSync(join(folder, 'app.mjs'), text)
  chmodSync(join(folder, 'app.mjs'), mode)
  return folder
}

const GOOD = 'export const application = (environ, startResponse) => (startResponse("200 OK", []), [])'

describe.skipIf(host === '')('a container that cannot serve', () => {
  const serveFolder = (folder: string, ...args: readonly string[]) =>
    serve(
      '--volume',
      `${folder}:/srv/app:ro`,
      ...args,
      'tsgi',
      'serve',
      'app.mjs',
      '--workers',
      '1',
      '--uwsgi',
      '/tmp/app.sock',
    )

  test('says that the application may not be read', async () => {
    const { code, lines } = await serveFolder(applicationFolder(GOOD, 0o600))
    expect(code).toBe(3)
    expect(errorsOf(lines)).toEqual([
      expect.stringMatching(
        /could not load the application: user 1000 may not read \/srv\/app\/app\.mjs \(EACCES.*\): let that user read it and enter/,
      ),
    ])
  })

  test('says that the application is not there', async () => {
    const { code, lines } = await serveFolder(tempDir())
    expect(code).toBe(3)
    expect(errorsOf(lines)).toEqual([expect.stringContaining('there is no file /srv/app/app.mjs')])
  })

  test('says that the application ended the process while it loaded', async () => {
    const { code, lines } = await serveFolder(applicationFolder('process.exit(7)'))
    expect(code).toBe(3)
    expect(errorsOf(lines)).toEqual([
      expect.stringContaining(
        'exit code 7: something in the application ended the process while it loaded; tsgi check',
      ),
    ])
  })

  test('says that the folder of the socket belongs to somebody else', async () => {
    const folder = join(tempDir(), 'run')
    mkdirSync(folder)
    chmodSync(folder, 0o755)
    const { code, lines } = await serve(
      '--volume',
      `${folder}:/run/tsgi`,
      '--volume',
      `${applicationFolder(GOOD)}:/srv/app:ro`,
      'tsgi',
      'serve',
      'app.mjs',
      '--uwsgi',
      '/run/tsgi/app.sock',
    )
    expect(code).toBe(4)
    expect(lines).toEqual([
      expect.stringMatching(
        /^tsgi: unix:\/run\/tsgi\/app\.sock cannot be bound \(EACCES\): user 1000 may not create files/,
      ),
    ])
  })

  test('says that another stack serves on this volume', async () => {
    const folder = tempDir()
    chmodSync(folder, 0o777)
    const shared = ['--volume', `${folder}:/run/tsgi`, '--volume', `${applicationFolder(GOOD)}:/srv/app:ro`]
    const command = ['tsgi', 'serve', 'app.mjs', '--workers', '1', '--uwsgi', '/run/tsgi/app.sock']
    const { stdout } = await engine.docker(['run', '--detach', '--rm', '--network', 'none', ...shared, ...command])
    const first = stdout.trim()
    try {
      const ask = ['exec', first, 'tsgi', 'request', '--uwsgi', '/run/tsgi/app.sock', '/']
      await until('the first one serves', async () => (await engine.docker(ask, { mayFail: true })).code === 0, 60_000)
      const { code, lines } = await serve(...shared, ...command)
      expect(code).toBe(4)
      expect(lines).toEqual([
        expect.stringContaining('another process is serving it; stop that process, or choose another path'),
      ])
      expect((await engine.docker(ask)).code).toBe(0)
    } finally {
      await engine.docker(['stop', first], { mayFail: true })
    }
  })

  test('replaces a worker that the kernel killed for want of memory, and says so', async () => {
    const greedy = `
      const kept = []
      export const application = (environ, startResponse) => {
        if (environ.PATH_INFO === '/eat') for (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1))
        startResponse('200 OK', [])
        return []
      }`
    const memory = ['--memory', '160m', '--memory-swap', '160m', '--volume', `${applicationFolder(greedy)}:/srv/app:ro`]
    const command = ['tsgi', 'serve', 'app.mjs', '--workers', '1', '--uwsgi', '/tmp/app.sock']
    const { stdout } = await engine.docker(['run', '--detach', '--network', 'none', ...memory, ...command])
    const container = stdout.trim()
    const ask = (path: string) =>
      engine.docker(['exec', container, 'tsgi', 'request', '--uwsgi', '/tmp/app.sock', path], { mayFail: true })
    try {
      await until('it serves', async () => (await ask('/')).code === 0, 60_000)
      expect((await ask('/eat')).code).not.toBe(0)
      await until('it serves again', async () => (await ask('/')).code === 0, 60_000)
      const { output } = await engine.docker(['logs', container])
      expect(output).toMatch(/worker 1 .*SIGKILL/)
    } finally {
      await engine.docker(['rm', '--force', container], { mayFail: true })
    }
  })
})

describe.skipIf(host === '')('a stack that cannot start', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await prepareStack(engine, { APP_IMAGE: 'tsgi-site:1' })
  })
  afterAll(() => stack?.down())

  const failing = async (args: readonly string[], env: Readonly<Record<string, string>>) => {
    const { code, output } = await stack.up(args, { env, mayFail: true })
    expect(code).not.toBe(0)
    return output
  }

  test('asks for the secret, and says how to make one', async () => {
    const output = await failing([], { SESSION_KEY_FILE: '' })
    expect(output).toMatch(/name a file with a random key, as in: openssl rand -hex 32 > session\.key/)
  })

  test('names the secret that is not there', async () => {
    expect(await failing(['app-1'], { SESSION_KEY_FILE: '/nowhere/session.key' })).toContain('/nowhere/session.key')
  })

  test('names the certificate that is not there', async () => {
    expect(await failing(['--no-deps', 'tls'], { TLS_CERTIFICATE_FILE: '/nowhere/tls.crt' })).toContain(
      '/nowhere/tls.crt',
    )
  })

  test('waits longer and longer between restarts', async () => {
    const key = join(tempDir(), 'short.key')
    writeFileSync(key, 'too short')
    chmodSync(key, 0o644)
    await stack.up(['app-1'], { env: { SESSION_KEY_FILE: key } })
    const container = await stack.container('app-1')
    const { output } = await until(
      'the line that says why',
      async () => {
        const logs = await engine.docker(['logs', container])
        return logs.output.includes('at least 32 are needed') ? logs : undefined
      },
      30_000,
    )
    expect(output).toContain('the key in /run/secrets/session_key has 9 bytes')
    expect(await stack.inspect(container, '{{.State.ExitCode}}')).toMatch(/^[03]$/)
    const startedMs = performance.now()
    await until('fifteen seconds', () => performance.now() - startedMs > 15_000, 30_000)
    expect(Number(await stack.inspect(container, '{{.RestartCount}}'))).toBeLessThan(10)
  })
})
