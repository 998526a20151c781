import { spawnSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { findCommand } from '../../scripts/peers.mjs'
import { OPTION_LIST } from '../../src/options/option-list.ts'
import { setup } from '../support/build-setup.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine } from '../support/tsgi.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

describe('help', () => {
  test('of serve shows every option, in sections, and how to begin', async () => {
    const { code, stdout } = await runTsgi(['serve', '--help'])
    expect(code).toBe(0)
    for (const option of OPTION_LIST) {
      const line = new RegExp(`^ {2}${option.flag} `, 'm')
      if (option.hidden) expect(stdout).not.toMatch(line)
      else expect(stdout).toMatch(line)
    }
    const headings = stdout.match(/^[A-Z]\w+:$/gm)
    expect(headings).toEqual([
      'Listeners:',
      'Sockets:',
      'Application:',
      'Workers:',
      'Timeouts:',
      'Limits:',
      'Operations:',
      'Logs:',
      'Options:',
      'Examples:',
    ])
    expect(stdout).not.toContain('<')
  })

  test('of dev shows the defaults of dev', async () => {
    const { stdout } = await runTsgi(['dev', '--help'])
    const text = stdout.replace(/\s+/g, ' ')
    for (const [flag, value] of [
      ['http', '127.0.0.1:8000'],
      ['workers', '1'],
      ['graceful-timeout', '2s'],
      ['log-format', 'pretty'],
      ['access-log', 'combined'],
      ['backlog', '2048'],
    ]) {
      expect(text).toMatch(new RegExp(` --${flag} [^[]*\\[${value}\\]`))
    }
  })

  test.each(['', 'serve', 'dev', 'check', 'ctl', 'request', 'init'])('of %j fits 80 columns', async (name) => {
    const { stdout } = await runTsgi([...(name === '' ? [] : [name]), '--help'])
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test.each(['serve', 'dev', 'check', 'ctl', 'request', 'init'])('of %s has an example', async (name) => {
    const { stdout } = await runTsgi([name, '--help'])
    expect(stdout).toContain(`Usage: tsgi ${name} `)
    expect(stdout).toMatch(new RegExp(`^Examples:\n {2}tsgi ${name} `, 'm'))
  })

  test('is what tsgi alone prints, as a mistake', async () => {
    const { code, stdout, stderr } = await runTsgi([])
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('serve [APP]')
  })
})

test.skipIf(findCommand('script') === undefined)('a terminal that shows no colours gets none', () => {
  const onTerminal = (env: Readonly<Record<string, string>>) => {
    const words = [
      process.execPath,
      commandLine,
      'serve',
      join(tempDir(), 'none.mjs'),
      '--http',
      '127.0.0.1:0',
      '--workers',
      '1',
    ]
    // Nothing else of ours: NO_COLOR, CI and others have a say in colours, too.
    const { PATH } = process.env
    return spawnSync('script', ['-qec', words.join(' '), '/dev/null'], { env: { PATH, ...env }, encoding: 'utf8' })
      .stdout
  }
  expect(onTerminal({ TERM: 'xterm-256color' })).toContain('\x1b[')
  expect(onTerminal({ TERM: 'dumb' })).toMatch(/ERROR \(tsgi\): worker 1 [^\x1b]+ there is no file[^\x1b]+$/)
})

test('the version is that of the package', async () => {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  const { code, stdout } = await runTsgi(['--version'])
  expect(code).toBe(0)
  expect(manifest).toMatchObject({ version: /^tsgi (\S+) /.exec(stdout)?.[1] })
})

test('the command works through the link that npm makes', async () => {
  const link = join(tempDir(), 'tsgi')
  symlinkSync(join(import.meta.dirname, '../../dist/cli/main.js'), link)
  const { execFileSync } = await import('node:child_process')
  expect(execFileSync(process.execPath, [link, '--version'], { encoding: 'utf8' })).toContain('tsgi ')
})

describe('a mistake ends with exit code 2, says what was meant, and starts nothing', () => {
  const mistake = async (args: readonly string[], env?: Readonly<Record<string, string>>) => {
    const { code, stdout, stderr } = await runTsgi(args, { cwd: tempDir(), ...(env === undefined ? {} : { env }) })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    return stderr.trimEnd().split('\n')
  }

  test('a command that does not exist', async () => {
    expect(await mistake(['sevre'])).toEqual(['tsgi: there is no command "sevre"; did you mean tsgi serve?'])
    expect(await mistake(['help', 'srve'])).toEqual(['tsgi: there is no command "srve"; did you mean tsgi serve?'])
    expect(await mistake(['reload'])).toEqual(['tsgi: there is no command "reload"; did you mean tsgi ctl reload?'])
    expect(await mistake(['app.ts'])).toEqual(['tsgi: there is no command "app.ts"; did you mean tsgi serve app.ts?'])
  })

  test('an option in front of the command', async () => {
    expect(await mistake(['--workers', '4'])).toEqual([
      'tsgi: --workers: options come after a command, as in tsgi serve app.ts --workers',
    ])
  })

  test('several at once, each on its line', async () => {
    expect(await mistake(['serve', 'a.ts', '--wrokers', '4', '--backlog', '0'], { TSGI_UWSGI: '9000' })).toEqual([
      'tsgi: --wrokers: there is no such option; did you mean --workers?',
      'tsgi: TSGI_UWSGI: "9000" has no host; write 127.0.0.1:9000, or :9000 for all interfaces',
      'tsgi: --backlog: expected a whole number, from 1 to 65535, not "0"',
    ])
  })

  test('an unknown option written with an equals sign', async () => {
    expect(await mistake(['serve', 'a.ts', '--wrokers=4'])).toEqual([
      'tsgi: --wrokers: there is no such option; did you mean --workers?',
    ])
  })

  test('neither application nor listener', async () => {
    const lines = await mistake(['serve'])
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain('nothing to listen on')
    expect(lines[1]).toContain('which application?')
  })

  test('two applications', async () => {
    expect((await mistake(['serve', 'a.ts', 'b.ts']))[0]).toContain('b.ts is too much')
    expect(await mistake(['serve', '--', 'a.ts', '--uwsgi', 'x'])).toEqual([
      'tsgi: one application is served at a time; --uwsgi x is too much: after -- nothing is an option, so options come before it',
    ])
  })

  test('a value that is missing', async () => {
    expect(await mistake(['serve', 'a.ts', '--backlog'])).toEqual(['tsgi: --backlog NUMBER: the value is missing'])
  })

  test('what only the workers would stumble over', async () => {
    const args = ['app.ts', '--access-log', '%(hh)s', '--chdir', '/nowhere/at/all']
    for (const command of [['check'], ['serve', '--http', ':0']]) {
      const lines = await mistake([...command, ...args])
      expect(lines[0]).toMatch(/^tsgi: --access-log: there is no atom %\(hh\)s; /)
      expect(lines[1]).toBe('tsgi: --chdir: there is no folder /nowhere/at/all')
    }
  })

  test('a variable that no option has', async () => {
    expect(await mistake(['serve', 'a.ts', '--http', ':0'], { TSGI_WORKER: '4' })).toEqual([
      'tsgi: TSGI_WORKER: there is no such variable of tsgi; did you mean TSGI_WORKERS?',
    ])
  })

  test('commands and targets that do not exist', async () => {
    expect((await mistake(['ctl', 'relaod']))[0]).toContain('did you mean reload?')
    expect((await mistake(['ctl', 'scale', 'many']))[0]).toContain('tsgi ctl scale 4')
    expect((await mistake(['ctl', 'status']))[0]).toContain('where is the control socket?')
    expect((await mistake(['init', 'ngnix']))[0]).toContain('did you mean nginx?')
    expect((await mistake(['init']))[0]).toContain('nginx, apache, systemd, compose')
  })
})
