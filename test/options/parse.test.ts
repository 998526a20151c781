import { describe, expect, test } from 'vitest'
import { TsgiError } from '../../src/errors.ts'
import { OPTION_LIST } from '../../src/options/option-list.ts'
import { parseOptions, type RawSources } from '../../src/options/parse.ts'
import { reloadOptions } from '../../src/options/reload.ts'
import type { OptionKey } from '../../src/options/table.ts'

type Flags = Partial<Record<OptionKey, string | boolean | readonly string[]>>

function raw(flags: Flags = {}, rest: Partial<RawSources> = {}): RawSources {
  // Object.entries forgets that the keys are options.
  const entries = Object.entries(flags) as [OptionKey, string | boolean | readonly string[]][]
  return { flags: new Map(entries), environment: {}, cwd: '/srv', ...rest }
}

function problems(input: RawSources): string[] {
  try {
    parseOptions(input)
  } catch (error) {
    expect(error).toBeInstanceOf(TsgiError)
    if (error instanceof TsgiError) {
      expect(error.code).toBe('TSGI_USAGE')
      expect(error.exitCode).toBe(2)
      return error.message.split('\n')
    }
  }
  return []
}

const file = (values: Record<string, unknown>) => ({ path: '/srv/tsgi.config.ts', values })

describe('where a value comes from', () => {
  const everywhere = (over: Partial<RawSources>, flags: Flags = {}) =>
    parseOptions(raw(flags, { file: file({ workers: 4, backlog: 64 }), ...over }))

  test('a file beats the default', () => {
    const { options, sources } = everywhere({})
    expect(options.workers).toBe(4)
    expect(sources.workers).toEqual({ kind: 'file', name: 'workers in /srv/tsgi.config.ts' })
    expect(options.maxParams).toBe(1000)
    expect(sources.maxParams.kind).toBe('default')
  })

  test("a command's preset beats the file", () => {
    const { options, sources } = everywhere({ preset: { name: 'tsgi dev', values: { workers: 1 } } })
    expect(options.workers).toBe(1)
    expect(sources.workers).toEqual({ kind: 'preset', name: 'tsgi dev' })
  })

  test('a variable beats the preset and the file', () => {
    const environment = { TSGI_WORKERS: '5', PATH: '/bin' }
    const { options, sources } = everywhere({ environment, preset: { name: 'tsgi dev', values: { workers: 1 } } })
    expect(options.workers).toBe(5)
    expect(sources.workers).toEqual({ kind: 'variable', name: 'TSGI_WORKERS' })
  })

  test('a flag beats all', () => {
    const { options, sources } = everywhere({ environment: { TSGI_WORKERS: '5' } }, { workers: '6' })
    expect(options.workers).toBe(6)
    expect(sources.workers).toEqual({ kind: 'flag', name: '--workers' })
  })

  test('an empty variable is as good as none', () => {
    expect(everywhere({ environment: { TSGI_WORKERS: '' } }).options.workers).toBe(4)
  })

  test('what Kubernetes says of a service called tsgi is nothing that tsgi was told', () => {
    const service = {
      TSGI_SERVICE_HOST: '10.0.0.1',
      TSGI_SERVICE_PORT: '80',
      TSGI_SERVICE_PORT_HTTP: '80',
      TSGI_PORT: 'tcp://10.0.0.1:80',
      TSGI_PORT_80_TCP: 'tcp://10.0.0.1:80',
      TSGI_PORT_80_TCP_PROTO: 'tcp',
      TSGI_PORT_80_TCP_PORT: '80',
      TSGI_PORT_80_TCP_ADDR: '10.0.0.1',
      // Of one called tsgi-app; the option is --app-port.
      TSGI_APP_PORT: 'tcp://10.0.0.2:80',
      TSGI_APP_SERVICE_HOST: '10.0.0.2',
    }
    expect(parseOptions(raw({}, { environment: service })).options).toEqual(parseOptions(raw()).options)
    expect(problems(raw({}, { environment: { TSGI_PORT: '80' } }))).toHaveLength(1)
  })

  test('a variable holds several values, and a flag replaces them all', () => {
    const environment = { TSGI_HTTP: '127.0.0.1:80, [::1]:80', TSGI_ENV: 'A=b, c\nD=e' }
    expect(parseOptions(raw({}, { environment })).options).toMatchObject({
      http: ['127.0.0.1:80', '[::1]:80'],
      env: ['A=b, c', 'D=e'],
    })
    expect(parseOptions(raw({ http: [':81'] }, { environment })).options.http).toEqual([':81'])
  })
})

describe('what is wrong', () => {
  test('is reported all at once, with the place it came from', () => {
    const found = problems(
      raw(
        { workers: '0', uwsgi: ['app.sock', '/run/a.sock'] },
        {
          unknownFlags: ['--wrokers'],
          environment: { TSGI_MAX_BODI: '1m', TSGI_BACKLOG: 'many' },
          file: file({ gracefulTimeOut: 3, requestTimeout: 'soon' }),
        },
      ),
    )
    expect(found).toEqual([
      '--wrokers: there is no such option; did you mean --workers?',
      'TSGI_MAX_BODI: there is no such variable of tsgi; did you mean TSGI_MAX_BODY?',
      'gracefulTimeOut in /srv/tsgi.config.ts: there is no such key; did you mean gracefulTimeout?',
      '--uwsgi: "app.sock" looks like a path; write ./app.sock or unix:app.sock',
      'TSGI_BACKLOG: expected a whole number, from 1 to 65535, not "many"',
      '--workers: expected auto, or a whole number from 1 to 1024, not "0"',
      expect.stringContaining('requestTimeout in /srv/tsgi.config.ts: expected a duration'),
    ])
  })

  test('the unit of a field is not part of a key', () => {
    expect(problems(raw({}, { file: file({ maxBodyBytes: 3 }) }))[0]).toContain('did you mean maxBody?')
  })

  test('a name that is near to nothing gets no suggestion', () => {
    expect(problems(raw({}, { unknownFlags: ['--quuxification'] }))).toEqual([
      '--quuxification: there is no such option',
    ])
  })

  test('a file cannot say which file to read', () => {
    expect(problems(raw({}, { file: file({ config: 'other.ts' }) }))[0]).toContain('only --config and TSGI_CONFIG')
  })

  test('TSGI_ACCEPT is known though it is no option', () => {
    expect(problems(raw({}, { environment: { TSGI_ACCEPT: 'fast' } }))).toEqual([])
  })
})

test('an option that exists is not said to be missing', () => {
  expect(problems(raw({}, { unknownFlags: ['--proxy-protocol', '--workers'] }))).toEqual([
    '--proxy-protocol: takes no value',
    '--workers: is no option of this command',
  ])
})

describe('paths', () => {
  test('start in the folder where tsgi was started', () => {
    const { options } = parseOptions(raw({ uwsgi: ['./app.sock', ':9000', '/run/x.sock'], pidfile: 'app.pid' }))
    expect(options.uwsgi).toEqual(['unix:/srv/app.sock', ':9000', 'unix:/run/x.sock'])
    expect(options.pidfile).toBe('/srv/app.pid')
  })

  test('start in --chdir where that is given', () => {
    const { options } = parseOptions(raw({ chdir: 'current', control: './ctl.sock', logFile: 'log/app.log' }))
    expect(options).toMatchObject({
      chdir: '/srv/current',
      control: 'unix:/srv/current/ctl.sock',
      logFile: '/srv/current/log/app.log',
    })
  })

  test('of sockets stay short enough for the kernel', () => {
    expect(problems(raw({ uwsgi: ['./app.sock'] }, { cwd: `/${'x'.repeat(100)}` }))[0]).toContain('too long')
  })
})

describe('combinations', () => {
  test('one address serves one purpose', () => {
    expect(problems(raw({ uwsgi: ['/run/a.sock'], control: 'unix:/run/a.sock' }))).toEqual([
      'unix:/run/a.sock is given 2 times: --uwsgi, --control',
    ])
    expect(problems(raw({ uwsgi: ['127.0.0.1:0'], fastcgi: ['127.0.0.1:0'] }))).toEqual([])
  })

  test('jitter needs the number that it varies', () => {
    expect(problems(raw({ maxRequestsJitter: '5' }))[0]).toContain('only with --max-requests')
    expect(problems(raw({ maxRequestsJitter: '5', maxRequests: '50' }))).toEqual([])
  })

  test('a mode needs a Unix socket', () => {
    expect(problems(raw({ socketMode: '0600', http: [':80'] }))[0]).toContain('none of the listeners is a Unix socket')
    expect(problems(raw({ http: [':80'] }))).toEqual([])
  })

  test('a file for the access log needs an access log', () => {
    expect(problems(raw({ accessLogFile: 'a.log' }))[0]).toContain('--access-log')
  })

  test('a heartbeat cannot be faster than the ticks', () => {
    expect(problems(raw({ heartbeatTimeoutMs: '1' }))[0]).toContain('at least 2 seconds')
    expect(problems(raw({ traceHangsMs: '0.05' }))).toEqual(['--trace-hangs: at least 0.1 seconds; 0 means never'])
    expect(problems(raw({ traceHangsMs: '30' }))[0]).toContain('less than --heartbeat-timeout (30 seconds)')
    expect(problems(raw({ traceHangsMs: '60', heartbeatTimeoutMs: '0' }))).toEqual([])
    expect(problems(raw({ heartbeatTimeoutMs: '0' }))).toEqual([])
  })
})

describe('the table', () => {
  test('every default is a value that its own kind reads', () => {
    const { sources } = parseOptions(raw())
    expect(Object.values(sources).every((source) => source.kind === 'default')).toBe(true)
  })

  test('an option without a default can be absent', () => {
    const wrong = OPTION_LIST.filter((option) => option.default === undefined && !('absent' in option.kind))
    expect(wrong.map((option) => option.flag)).toEqual([])
  })

  test('no flag, key or variable is there twice', () => {
    for (const name of ['flag', 'configKey', 'variable'] as const) {
      const names = OPTION_LIST.map((option) => option[name])
      expect(new Set(names).size).toBe(names.length)
    }
  })

  test('a quantity carries its unit in the name', () => {
    for (const { key, kind } of OPTION_LIST) {
      if (kind.placeholder === 'SECONDS') expect(key).toMatch(/Ms$/)
      if (kind.placeholder === 'SIZE') expect(key).toMatch(/Bytes$/)
    }
  })

  test('help ends in a full stop and fits the tables of the docs', () => {
    for (const { help } of OPTION_LIST) expect(help).toMatch(/^[A-Z][^\n]*\.$/)
  })
})

test('a reload takes what can change and names what waits for a restart', () => {
  const before = parseOptions(
    raw({ workers: '2', uwsgi: ['/run/a.sock'], control: '/run/a.ctl', backlog: '10' }),
  ).options
  const after = parseOptions(
    raw({ workers: '3', uwsgi: ['/run/b.sock'], control: '/run/b.ctl', backlog: '10' }),
  ).options
  const { options, needRestart } = reloadOptions(before, after)
  expect(options).toMatchObject({ workers: 3, uwsgi: ['unix:/run/b.sock'], control: 'unix:/run/a.ctl' })
  expect(needRestart.map(({ flag }) => flag)).toEqual(['--control'])
})
