import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine, startTsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

const GOOD = `export const application = (environ, startResponse) => {
  startResponse('200 OK', [])
  return []
}`
const BAD = `throw new Error('the database is not there')`

async function served() {
  const folder = tempDir('tsgi-ctl-')
  const app = join(folder, 'app.mjs')
  const control = join(folder, 'ctl.sock')
  writeFileSync(app, GOOD)
  const tsgi = await startTsgi({
    app,
    args: ['--uwsgi', join(folder, 'app.sock'), '--workers', '1', '--control', control],
  })
  const ctl = (...args: readonly string[]) => runTsgi(['ctl', ...args, '--control', control])
  return { app, tsgi, ctl }
}

describe('tsgi ctl', () => {
  test('status shows the server and its workers, as text and as JSON', async () => {
    const { tsgi, ctl } = await served()
    const { code, stdout } = await ctl('status')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^pid +${tsgi.pid}$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^1 +${tsgi.workerPids()[0]} +1 +ready`, 'm'))
    const status: unknown = JSON.parse((await ctl('status', '--json')).stdout)
    expect(status).toMatchObject({ pid: tsgi.pid, state: 'serving', workers: [{ slot: 1, phase: 'ready' }] })
  })

  test('reload waits for the outcome, and its exit code is that outcome', async () => {
    const { app, tsgi, ctl } = await served()
    const [before] = tsgi.workerPids()
    expect(await ctl('reload')).toMatchObject({ code: 0, stderr: expect.stringContaining('worker 1 is ready') })
    const [after] = tsgi.workerPids()
    expect(after).not.toBe(before)

    writeFileSync(app, BAD)
    const { code, stderr } = await ctl('reload')
    expect(code).toBe(3)
    expect(stderr).toContain('the database is not there')
    expect(stderr).toMatch(/at .*app\.mjs:1/)
    expect(tsgi.workerPids()).toContain(after)
  })

  test('reload keeps what needs a restart as it was, and names it', async () => {
    const folder = tempDir('tsgi-ctl-')
    const at = (name: string): string => join(folder, name)
    const configure = (config: object): void => writeFileSync(at('tsgi.config.json'), JSON.stringify(config))
    for (const name of ['a', 'b']) {
      mkdirSync(at(name))
      writeFileSync(at(`${name}/app.mjs`), GOOD)
    }
    const before = { app: 'app.mjs', chdir: 'a', uwsgi: './x.sock', control: './ctl.sock', workers: 1 }
    configure({ ...before, logFile: './tsgi.log', pidfile: './tsgi.pid', socketMode: '0600' })
    const server = startServer({ name: 'tsgi', command: process.execPath, args: [commandLine, 'serve'], cwd: folder })
    await until(
      'it serves',
      () => existsSync(at('a/tsgi.log')) && /"ready: /.test(readFileSync(at('a/tsgi.log'), 'utf8')),
    )

    configure({
      app: 'other.mjs',
      chdir: 'b',
      uwsgi: ['./x.sock', './y.sock'],
      control: './new.sock',
      workers: 2,
      logFile: './new.log',
      pidfile: './new.pid',
      socketMode: '0666',
    })
    const names = ['--socket-mode', '--app', '--chdir', '--control', '--pidfile', '--log-file']
    const { code, stdout, stderr } = await runTsgi(['ctl', 'reload', '--control', at('a/ctl.sock')])
    expect(code).toBe(0)
    expect(stdout).toBe(`generation    2\nneed restart  ${names.join(', ')}\n`)
    for (const name of names) expect(stderr).toMatch(new RegExp(`^${name} \\(\\w+ in .*: restart to change it$`, 'm'))
    const again = await runTsgi(['ctl', 'reload', '--json', '--control', at('a/ctl.sock')])
    expect(JSON.parse(again.stdout)).toEqual({ generation: 3, needRestart: names })

    // Relative paths start where they did: what a reload takes is beside what it found there.
    expect(readdirSync(at('a')).sort()).toEqual(['app.mjs', 'ctl.sock', 'tsgi.log', 'tsgi.pid', 'x.sock', 'y.sock'])
    expect(readdirSync(at('b'))).toEqual(['app.mjs'])
    expect(statSync(at('a/x.sock')).mode & 0o777).toBe(0o600)
    const log = readFileSync(at('a/tsgi.log'), 'utf8')
    expect(log).toMatch(/"level":"warn".*"msg":"--control \(control in .*restart to change it"/)
    expect(log).toMatch(/"name":"tsgi".*generation 3 serves/)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  test('scale changes the pool, and stop waits until all have left', async () => {
    const { tsgi, ctl } = await served()
    expect(await ctl('scale', '2')).toMatchObject({ code: 0, stdout: 'workers  2\n' })
    expect(await ctl('stop')).toMatchObject({ code: 0, stdout: 'done\n' })
    expect(await tsgi.process.exited).toMatchObject({ code: 0 })
  })

  test('fails with 1 where nobody answers', async () => {
    const { code, stderr } = await runTsgi(['ctl', 'ping', '--control', join(tempDir(), 'none.sock')])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^tsgi: no tsgi answers on unix:\S+none\.sock \(ENOENT\)/)
  })

  test('fails with 1 where something else answers, and says so', async () => {
    const path = join(tempDir(), 'other.sock')
    const other = createServer((socket) => socket.on('error', () => undefined).write('220 ready\r\n')).listen(path)
    await once(other, 'listening')
    const { code, stderr } = await runTsgi(['ctl', 'status', '--control', path])
    other.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`unix:${path} is no control socket of tsgi: is this what was given to --control?`)
  })

  test.each(['1e2', '0x2', '1.0', '0', '1025', ''])(
    'scale %j is no number of workers, and nobody is asked',
    async (value) => {
      const { code, stderr } = await runTsgi(['ctl', 'scale', value, '--control', join(tempDir(), 'none.sock')])
      expect(code).toBe(2)
      expect(stderr).toBe('tsgi: scale: how many workers? Say a number from 1 to 1024, as in tsgi ctl scale 4\n')
    },
  )

  test('reaches a given address whatever the configuration file has become', async () => {
    const folder = tempDir()
    writeFileSync(join(folder, 'tsgi.config.json'), '{ "workerz": 2 }')
    const asked = `no tsgi answers on unix:${join(folder, 'ctl.sock')} (ENOENT)`
    const byFlag = await runTsgi(['ctl', 'stop', '--control', './ctl.sock'], { cwd: folder })
    expect(byFlag.stderr).toContain(asked)
    const env = { TSGI_CONTROL: './ctl.sock', TSGI_WORKERS: 'many' }
    expect((await runTsgi(['ctl', 'stop'], { cwd: folder, env })).stderr).toContain(asked)
    expect(await runTsgi(['ctl', 'stop'], { cwd: folder })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('workerz'),
    })
  })

  test('takes the address from the configuration that serve took it from', async () => {
    const folder = tempDir()
    writeFileSync(join(folder, 'tsgi.config.json'), '{ "control": "./some.sock" }')
    const { stderr } = await runTsgi(['ctl', 'ping'], { cwd: folder })
    expect(stderr).toContain(`unix:${join(folder, 'some.sock')}`)
  })
})
