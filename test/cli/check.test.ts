import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { childPids, cpuMs, isAlive } from '../support/proc.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine, startTsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = tempDir('tsgi-check-')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

describe('the configuration that check prints', () => {
  const config = `export default { workers: 3, env: { TOKEN: 'secret' }, gracefulTimeout: '90s' }`

  test('has each value with the place it came from, what was set first', async () => {
    const cwd = folderWith({ 'tsgi.config.ts': config })
    const { code, stdout } = await runTsgi(['check', '--http', ':8000'], { cwd, env: { TSGI_MAX_BODY: '5m' } })
    expect(code).toBe(0)
    const lines = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    const path = join(cwd, 'tsgi.config.ts')
    expect(lines[0]).toEqual([`configuration ${path}`])
    expect(lines.slice(1, 6)).toEqual([
      ['http', ':8000', '--http'],
      ['env', 'TOKEN=...', `env in ${path}`],
      ['workers', '3', `workers in ${path}`],
      ['gracefulTimeout', '90s', `gracefulTimeout in ${path}`],
      ['maxBody', '5m', 'TSGI_MAX_BODY'],
    ])
    expect(stdout).not.toContain('secret')
  })

  test('is JSON for programs', async () => {
    const { stdout } = await runTsgi(['check', '--json', '--workers', '2'], { cwd: folderWith({}) })
    const answer: unknown = JSON.parse(stdout)
    expect(answer).toMatchObject({
      file: null,
      options: { workers: { value: 2, source: '--workers' }, backlog: { value: 2048, source: 'default' } },
    })
  })

  test('may be in TypeScript that Node cannot strip, with await, in a folder that says nothing of modules', async () => {
    const cwd = folderWith({
      'tsgi.config.ts': `enum Size { Small = 2 }
        const workers: number = await Promise.resolve(Size.Small)
        export default { workers }`,
    })
    const { stdout } = await runTsgi(['check', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ options: { workers: { value: 2 } } })
  })

  test('is not printed when it is wrong', async () => {
    const cwd = folderWith({ 'tsgi.config.json': '{ "wrokers": 3 }' })
    const { code, stdout, stderr } = await runTsgi(['check'], { cwd })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toBe(
      `tsgi: wrokers in ${join(cwd, 'tsgi.config.json')}: there is no such key; did you mean workers?\n`,
    )
  })
})

describe('the application that check loads', () => {
  const good = 'export const application = (environ, startResponse) => (startResponse("200 OK", []), [])'

  test('is said to load, with its interface', async () => {
    const cwd = folderWith({ 'app.mjs': good })
    const { code, stdout } = await runTsgi(['check', 'app.mjs'], { cwd })
    expect(stdout).toMatch(/application .*app\.mjs\n {2}loads as tsgi in \d+ ms\n {2}no request was made/)
    expect(code).toBe(0)
  })

  test('may be named in the configuration', async () => {
    const cwd = folderWith({ 'app.mjs': good, 'tsgi.config.json': '{ "app": "./app.mjs" }' })
    const { code, stdout } = await runTsgi(['check', '--json'], { cwd })
    const answer: unknown = JSON.parse(stdout)
    expect(answer).toMatchObject({ application: { path: join(cwd, 'app.mjs'), ok: true, interface: 'tsgi' } })
    expect(code).toBe(0)
  })

  test('may print what it likes while it loads: the JSON stays JSON', async () => {
    const cwd = folderWith({ 'app.mjs': `console.log('loading'); ${good}` })
    const { code, stdout, stderr } = await runTsgi(['check', 'app.mjs', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ application: { ok: true } })
    expect(stderr).toBe('loading\n')
    expect(code).toBe(0)
  })

  test('that throws ends with 3 and its stack', async () => {
    const cwd = folderWith({ 'app.mjs': 'throw new Error("no database")' })
    const { code, stdout } = await runTsgi(['check', 'app.mjs'], { cwd })
    expect(stdout).toMatch(/does not load: [\s\S]*no database[\s\S]*app\.mjs:1/)
    expect(code).toBe(3)
  })

  test('that throws shows the frames that are its own, and of a mistake in an import or the syntax none', async () => {
    const cwd = folderWith({
      'package.json': '{ "type": "module" }',
      'app.ts': "import { open } from './database.ts'\nexport const application = open()",
      'database.ts': 'export function open(): never {\n  throw new Error("no database")\n}',
      'import.ts': "import 'none-such-package'",
      'syntax.ts': 'export const application = (',
      'string.mjs': 'throw "a string"',
    })
    const reasonOf = async (file: string) => {
      const { stdout } = await runTsgi(['check', file, '--ts-loader', 'tsx'], { cwd })
      return stdout.replace(/^[\s\S]*does not load: /, '').trimEnd()
    }
    const [heading, ...frames] = (await reasonOf('app.ts')).split('\n').slice(1)
    expect(heading).toBe('Error: no database')
    expect(frames).toEqual([
      expect.stringContaining(join(cwd, 'database.ts:2:9')),
      expect.stringContaining(join(cwd, 'app.ts:2:')),
    ])
    expect(await reasonOf('import.ts')).toMatch(/^import\.ts could not be loaded: Cannot find .*none-such-package.*$/)
    expect(await reasonOf('syntax.ts')).toMatch(/^syntax\.ts could not be loaded: .*syntax\.ts:1:28: ERROR: .*$/)
    expect(await reasonOf('string.mjs')).toBe(
      'string.mjs could not be loaded: "a string"\nError: a value that is no Error was thrown: "a string"',
    )
  })

  test('may be in JSX', async () => {
    const cwd = folderWith({
      'app.jsx': `const h = (name) => name /** @jsx h */
        export const application = (environ, startResponse) => (startResponse('200 OK', [['X-Name', <br />]]), [])`,
    })
    const { stdout } = await runTsgi(['check', 'app.jsx'], { cwd })
    expect(stdout).toContain('loads as tsgi')
  })

  test('needs a folder for temporary files here, and none where it is served', async () => {
    const cwd = folderWith({
      'app.ts': good,
    })
    const env = { TMPDIR: join(cwd, 'none') }
    const { code, stderr } = await runTsgi(['check', 'app.ts'], { cwd, env })
    expect(stderr).toMatch(/^tsgi: no folder can be made in .*none \(ENOENT\).*TMPDIR.*\n$/)
    expect(code).toBe(1)
    const args = ['--ts-loader', 'tsx', '--uwsgi', './app.sock']
    const server = await startTsgi({ app: 'app.ts', args, cwd, env })
    await server.stop()
  })

  test('that ends its process, or hangs, ends with 3 and the reason', async () => {
    const cwd = folderWith({
      'exits.mjs': 'process.exit(7)',
      'hangs.mjs': 'setInterval(() => 0, 1000); await new Promise(() => 0)',
    })
    const exits = await runTsgi(['check', 'exits.mjs'], { cwd })
    expect(exits.stdout).toContain('it ended its process with exit code 7')
    expect(exits.code).toBe(3)
    const hangs = await runTsgi(['check', 'hangs.mjs', '--boot-timeout', '500ms'], { cwd })
    expect(hangs.stdout).toContain('it is not ready after 0.5 seconds (--boot-timeout)')
    expect(hangs.code).toBe(3)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('and that hangs is ended with the command, by %s', async (signal) => {
    const cwd = folderWith({ 'app.mjs': 'for (;;);' })
    const temporary = tempDir()
    const child = spawn(process.execPath, [commandLine, 'check', 'app.mjs'], {
      cwd,
      env: { ...process.env, TMPDIR: temporary },
      stdio: 'ignore',
    })
    const ended = once(child, 'exit')
    const [worker = 0] = await until('it loads', () => {
      const pids = childPids(child.pid ?? 0)
      return pids.some((pid) => cpuMs(pid) > 500) && pids
    })
    child.kill(signal)
    expect(await ended).toEqual([null, signal])
    await until('the application is gone', () => !isAlive(worker))
    expect(readdirSync(temporary)).toEqual([])
  })
})

describe('what serve would refuse', () => {
  const cwd = folderWith({
    'app.mjs': 'export const application = (environ, startResponse) => (startResponse("200 OK", []), [])',
    'bad.pem': 'no certificate',
    'tsgi.config.json': '{ "workers": 1, "logFormat": "json" }',
  })
  const unix = ['--uwsgi', './app.sock']

  test.each([
    [['--http', '127.0.0.1:0', '--tls-cert', 'bad.pem', '--tls-key', 'bad.pem'], 2, 'bad.pem is no PEM file'],
    [[...unix, '--user', 'no-such-user'], 2, 'there is no user no-such-user in /etc/passwd'],
    [[...unix, '--socket-owner', 'no-such-user'], 2, 'there is no user no-such-user in /etc/passwd'],
    [[...unix, '--socket-group', 'no-such-group'], 2, 'there is no group no-such-group in /etc/group'],
    [[...unix, '--log-file', 'none/x.log'], 2, `cannot open the log file ${join(cwd, 'none/x.log')}: ENOENT`],
    [[...unix, '--log-file', '.'], 2, `cannot open the log file ${cwd}: `],
    [
      [...unix, '--access-log', 'json', '--access-log-file', 'none/x.log'],
      2,
      `cannot open the log file ${join(cwd, 'none/x.log')}: ENOENT`,
    ],
    [[...unix, '--pidfile', 'none/pid'], 2, `--pidfile ${join(cwd, 'none/pid')} cannot be written: there is no folder`],
    [[...unix, '--pidfile', 'app.mjs'], 2, 'something that holds no process id is there'],
    [
      ['--uwsgi', 'none/app.sock'],
      4,
      `unix:${join(cwd, 'none/app.sock')}: the folder ${join(cwd, 'none')} does not exist`,
    ],
    [['--uwsgi', './app.mjs'], 4, 'a file that is no socket is there'],
    [[...unix, '--control', 'none/ctl.sock'], 4, `the folder ${join(cwd, 'none')} does not exist`],
  ])('check refuses as well, with the same words and exit code: %j', async (args, code, words) => {
    const temporary = tempDir()
    const env = { TMPDIR: temporary }
    const [checked, served] = await Promise.all(
      ['check', 'serve'].map((command) => runTsgi([command, 'app.mjs', ...args], { cwd, env })),
    )
    expect(checked?.stderr).toContain(words)
    expect(served?.stderr).toContain(words)
    expect([checked?.code, served?.code]).toEqual([code, code])
    // Nothing was made on the way.
    expect(readdirSync(temporary)).toEqual([])
    expect(readdirSync(cwd).toSorted()).toEqual(['app.mjs', 'bad.pem', 'tsgi.config.json'])
  })

  test.runIf(process.getuid?.() === 0)('check refuses as --user sees it', async () => {
    const log = join(tempDir(), 'tsgi.log')
    writeFileSync(log, '', { mode: 0o600 })
    const args = ['app.mjs', ...unix, '--user', 'nobody', '--log-file', log]
    for (const command of ['check', 'serve']) {
      const { code, stderr } = await runTsgi([command, ...args], { cwd })
      expect(stderr).toContain(`cannot open the log file ${log}: EACCES`)
      expect(code).toBe(2)
    }
  })

  test('is not that the service runs already', async () => {
    const running = await startTsgi({
      app: 'app.mjs',
      args: [...unix, '--control', './ctl.sock', '--pidfile', 'pid', '--log-file', 'tsgi.log'],
      cwd,
      waitUntilReady: false,
    })
    await until('it runs', () => existsSync(join(cwd, 'ctl.sock')))
    const args = [...unix, '--control', './ctl.sock', '--pidfile', 'pid', '--log-file', 'tsgi.log']
    expect(await runTsgi(['check', 'app.mjs', ...args], { cwd })).toMatchObject({ code: 0, stderr: '' })
    await running.stop()
  })
})

describe('the requests that check makes', () => {
  const cwd = folderWith({
    'app.mjs': `
      const utf8 = (text) => new TextEncoder().encode(text)
      export const application = (environ, startResponse) => {
        console.log('asked for', environ.PATH_INFO)
        switch (environ.PATH_INFO) {
          case '/good':
            startResponse('200 OK', [['Content-Type', 'text/plain'], ['Content-Length', '4']])
            return [utf8('good')]
          case '/untyped':
            startResponse('200 OK', [])
            return [utf8('what is it?')]
          case '/hop':
            startResponse('200 OK', [['Content-Type', 'text/plain'], ['Connection', 'close']])
            return []
          case '/throws':
            throw new Error('no database')
          case '/page':
            startResponse('500 Internal Server Error', [['Content-Type', 'text/plain']])
            return [utf8('sorry')]
          case '/none':
            startResponse('404 Not Found', [['Content-Type', 'text/plain']])
            return [utf8('none')]
          case '/hangs':
            return new Promise(() => 0)
          case '/ends':
            return process.exit(7)
        }
        startResponse('200 OK', [['Content-Type', 'text/plain'], ['Content-Length', '9']])
        return [utf8('short')]
      }
      setInterval(() => 0, 1000)`,
  })

  test('are none unless they are asked for', async () => {
    const { code, stdout } = await runTsgi(['check', 'app.mjs'], { cwd })
    expect(stdout).toContain('no request was made: --request PATH makes one')
    expect(stdout).not.toContain('asked for')
    expect(code).toBe(0)
  })

  test('run the application in memory and say what came', async () => {
    const { code, stdout, stderr } = await runTsgi(['check', 'app.mjs', '--request', '/good?x=%20'], { cwd })
    expect(stdout).toMatch(
      /requests GET, without a socket\n {2}\/good\?x=%20 {2}200 OK {2}4 bytes {2}\d+ ms {2}keeps the rules\n$/,
    )
    expect(stderr).toContain('asked for /good')
    expect(code).toBe(0)
  })

  test('end with 1 where the application breaks a rule or fails, and say which', async () => {
    const asked = [
      '--request',
      '/good',
      '--request',
      '/untyped',
      '--request',
      '/short',
      '--request',
      '/throws',
      '--request',
      '/hop',
    ]
    const { code, stdout } = await runTsgi(['check', 'app.mjs', '--json', ...asked], { cwd })
    expect(code).toBe(1)
    const { application } = JSON.parse(stdout)
    const problems = application.requests.map((request: { problems: string[] }) => request.problems.join('\n'))
    expect(problems[0]).toBe('')
    expect(problems[1]).toBe('')
    expect(application.requests[1].warnings.join()).toMatch(/Content-Type/)
    expect(problems[2]).toMatch(/Content-Length/)
    expect(problems[3]).toMatch(/no database[\s\S]*app\.mjs:\d+/)
    expect(problems[4]).toMatch(/Connection/)
    const { stdout: text } = await runTsgi(['check', 'app.mjs', ...asked], { cwd })
    expect(text).toMatch(/\/throws .* 500 Internal Server Error .*\n {4}problem: Error: no database\n/)
  })

  test('end with 1 where the application itself answers a 5xx, by all the rules, and not for a 4xx', async () => {
    const none = await runTsgi(['check', 'app.mjs', '--request', '/none'], { cwd })
    expect(none.stdout).toMatch(/ {2}\/none {2}404 Not Found .* {2}keeps the rules\n$/)
    expect(none.code).toBe(0)
    const page = await runTsgi(['check', 'app.mjs', '--request', '/none', '--request', '/page'], { cwd })
    expect(page.stdout).toMatch(/ {2}\/page {2}500 Internal Server Error .* {2}keeps the rules, but fails \(5xx\)\n$/)
    expect(page.code).toBe(1)
  })

  test('end with 1 where no answer comes', async () => {
    const hangs = await runTsgi(['check', 'app.mjs', '--request', '/hangs', '--request-timeout', '300ms'], { cwd })
    expect(hangs.stdout).toContain('no whole response within 300 ms')
    expect(hangs.code).toBe(1)
    const ends = await runTsgi(['check', 'app.mjs', '--request', '/ends'], { cwd })
    expect(ends.stderr).toContain('the application ended the process that asked it (exit code 7)')
    expect(ends.code).toBe(1)
  })

  test('name a path of an application', async () => {
    for (const path of ['good', '/a b', '/%zz']) {
      const { code, stderr } = await runTsgi(['check', 'app.mjs', '--request', path], { cwd })
      expect(stderr).toContain(`--request: ${JSON.stringify(path)} is no path`)
      expect(code).toBe(2)
    }
    const { code, stderr } = await runTsgi(['check', '--request', '/'], { cwd })
    expect(stderr).toContain('--request: no application is named')
    expect(code).toBe(2)
  })
})
