import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Environ } from '../../src/application.ts'
import { EnvironVariables } from '../../src/gateway/environ-source.ts'
import type { RequestVariables } from '../../src/gateway/request-source.ts'
import { readVariables, SentVariables } from '../../src/gateway/sent-variables.ts'
import { type AccessEntry, ATOMS } from '../../src/log/access-atoms.ts'
import { compileAccessFormat } from '../../src/log/access-format.ts'
import { createAccessLog } from '../../src/log/access-log.ts'
import { openBackgroundFile } from '../../src/log/background-file.ts'
import { onLogFault } from '../../src/log/faults.ts'

const ofEnviron = (environ: Environ): RequestVariables => new EnvironVariables(environ)

/** What a request has before, or without, an environ. What would be refused can only be an application's. */
function asSent(environ: Environ): RequestVariables {
  const variables = readVariables(Object.entries(environ).flat().map(String), { variables: [], mounts: [] })
  return variables instanceof SentVariables ? variables : ofEnviron(environ)
}

let read = ofEnviron

function entry(variables: Record<string, string> = {}, changes: Partial<AccessEntry> = {}): AccessEntry {
  const environ = Object.assign(Object.create(null), {
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: '',
    PATH_INFO: '/a b',
    QUERY_STRING: 'x=1',
    REQUEST_URI: '/a%20b?x=1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REMOTE_ADDR: '192.0.2.7',
    ...variables,
  }) as Environ
  return {
    variables: read(environ),
    status: 200,
    bytes: 13,
    durationMs: 1.2345,
    aborted: false,
    requestId: 'r-1',
    time: Date.UTC(2026, 10, 21, 10, 36, 0, 7),
    headers: [
      ['Content-Type', 'text/plain'],
      ['Set-Cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
    ...changes,
  }
}

const lineOf = (format: string, ...args: Parameters<typeof entry>) => compileAccessFormat(format)(entry(...args))

describe.each([
  ['of an environ', ofEnviron],
  ['as they were sent', asSent],
])('access log formats, with variables %s', (_what, reader) => {
  beforeEach(() => {
    read = reader
  })
  afterEach(() => {
    read = ofEnviron
  })

  test('json says of each request what it had, and not what the one before it had', () => {
    const toLine = compileAccessFormat('json')
    const one = { REMOTE_USER: 'ann', HTTP_HOST: 'a', HTTP_REFERER: 'r', HTTP_USER_AGENT: 'x "y"' }
    const other = { REMOTE_ADDR: '::1', REQUEST_METHOD: 'PUT', HTTP_HOST: 'b', SERVER_PROTOCOL: 'HTTP/2.0' }
    const said = [one, other, one].map((variables) => JSON.parse(toLine(entry(variables))))
    const common = { addr: '192.0.2.7', method: 'GET', protocol: 'HTTP/1.1' }
    expect(said[0]).toMatchObject({ ...common, user: 'ann', host: 'a', referer: 'r', agent: 'x "y"' })
    expect(said[1]).toMatchObject({ addr: '::1', method: 'PUT', host: 'b', protocol: 'HTTP/2.0' })
    for (const name of ['user', 'referer', 'agent']) expect(said[1]).not.toHaveProperty(name)
    expect(said[2]).toEqual(said[0])
  })

  test('combined is what Apache and nginx write', () => {
    expect(lineOf('combined', { HTTP_USER_AGENT: 'curl/8' })).toMatch(
      /^192\.0\.2\.7 - - \[21\/Nov\/2026:\d\d:36:00 [+-]\d{4}\] "GET \/a%20b\?x=1 HTTP\/1\.1" 200 13 "-" "curl\/8"\n$/,
    )
  })

  test('json is one object a line and leaves out what the request did not have', () => {
    expect(JSON.parse(lineOf('json', { HTTP_HOST: 'h' }, { aborted: true }))).toEqual({
      time: '2026-11-21T10:36:00.007Z',
      id: 'r-1',
      addr: '192.0.2.7',
      method: 'GET',
      host: 'h',
      uri: '/a%20b?x=1',
      protocol: 'HTTP/1.1',
      status: 200,
      bytes: 13,
      ms: 1.235,
      aborted: true,
      pid: process.pid,
    })
  })

  test.each([
    ['%(h)s %(m)s %(U)s %(q)s %(H)s', '192.0.2.7 GET /a%20b x=1 HTTP/1.1\n'],
    ['%(s)s %(B)s %(b)s', '200 13 13\n'],
    ['%(T)s %(M)s %(D)s %(L)s', '0 1 1235 0.001234\n'],
    ['%({X-Seen}i)s %({Content-Type}i)s %({None}i)s', 'yes text/x -\n'],
    ['%({set-cookie}o)s %({Content-Type}o)s', 'a=1, b=2 text/plain\n'],
    ['%({SSL_PROTOCOL}e)s %({tsgi.input}e)s', 'TLSv1.3 -\n'],
    ['100%% %(id)s %(X)s %(iso)s', '100% r-1 - 2026-11-21T10:36:00.007Z\n'],
  ])('%s', (format, expected) => {
    const variables = { HTTP_X_SEEN: 'yes', CONTENT_TYPE: 'text/x', SSL_PROTOCOL: 'TLSv1.3' }
    expect(lineOf(format, variables)).toBe(expected)
  })

  test('no bytes are a dash in the common log format, a zero otherwise', () => {
    expect(lineOf('%(b)s %(B)s', {}, { bytes: 0 })).toBe('- 0\n')
  })

  test('the line of a request without REQUEST_URI is rebuilt', () => {
    expect(lineOf('%(r)s', { REQUEST_URI: '' })).toBe('GET /a%20b?x=1 HTTP/1.1\n')
  })

  test('an unknown atom is refused and the nearest one named', () => {
    expect(() => compileAccessFormat('%(iid)s')).toThrow(/there is no atom %\(iid\)s; did you mean %\(id\)s\?/)
    expect(() => compileAccessFormat('%(h)')).toThrow(/an s is missing/)
    expect(() => compileAccessFormat('%({Host}x)s')).toThrow(/i \(request header\)/)
    expect(() => compileAccessFormat('%(constructor)s')).toThrow(/no atom/)
    expect(() => compileAccessFormat('jsn')).toThrow(/json, combined or a text with atoms/)
  })

  test('whatever a client sends, a line is one line of printable ASCII with the quotes of its format only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const variables = { REQUEST_URI: `/${value}`, HTTP_USER_AGENT: value, HTTP_REFERER: value, REMOTE_USER: value }
        const combined = lineOf('combined', variables)
        expect(combined).toMatch(/^[\x20-\x7e]*\n$/)
        expect(combined.split('"')).toHaveLength(7)
        const json: unknown = JSON.parse(lineOf('json', variables))
        expect(json).toHaveProperty('uri', `/${value}`)
      }),
      { seed: 3333, numRuns: 500 },
    )
  })

  test('every atom is documented', () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'access-log.md'), 'utf8')
    for (const [name, { help }] of Object.entries(ATOMS)) expect(page).toContain(`| \`%(${name})s\` | ${help} |`)
  })

  test('a forged line stays inside its field', () => {
    expect(lineOf('"%(a)s"', { HTTP_USER_AGENT: 'x"\r\n1.2.3.4 \\ \u00e9' })).toBe(
      '"x\\x22\\x0d\\x0a1.2.3.4 \\x5c \\xe9"\n',
    )
  })
})

describe('access log files', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsgi-access-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  test('off is no log at all', () => {
    expect(createAccessLog({ format: 'off' })).toBeUndefined()
  })

  test('lines are in the file after flush, and in the new file after it was moved and reopened', () => {
    const file = join(directory, 'access.log')
    const log = createAccessLog({ format: '%(id)s', file })
    log?.write(entry({}, { requestId: 'one' }))
    renameSync(file, `${file}.1`)
    log?.reopen()
    log?.write(entry({}, { requestId: 'two' }))
    log?.flush()
    expect(readFileSync(`${file}.1`, 'latin1')).toBe('one\n')
    expect(readFileSync(file, 'latin1')).toBe('two\n')
    log?.close()
  })

  test('one that is closed stays so: a worker that leaves may be asked to reopen its logs', () => {
    const file = join(directory, 'access.log')
    const log = createAccessLog({ format: '%(id)s', file })
    log?.close()
    renameSync(file, `${file}.1`)
    log?.reopen()
    expect(existsSync(file)).toBe(false)
  })

  test('no line is lost or cut however many there are', async () => {
    const file = join(directory, 'access.log')
    const log = createAccessLog({ format: '%(id)s', file })
    const count = 20_000
    for (let index = 0; index < count; index += 1) log?.write(entry({}, { requestId: `request-${index}` }))
    log?.close()
    const lines = () => readFileSync(file, 'latin1').split('\n').slice(0, -1)
    await vi.waitFor(() => expect(lines()).toHaveLength(count), { timeout: 10_000 })
    expect(new Set(lines()).size).toBe(count)
  })

  test('a line is written within about a second though nobody flushes', async () => {
    const file = join(directory, 'access.log')
    const log = createAccessLog({ format: '%(id)s', file })
    log?.write(entry())
    await vi.waitFor(() => expect(readFileSync(file, 'latin1')).toBe('r-1\n'), { timeout: 5000 })
    log?.close()
  })

  test('a file that cannot be reopened is told of once, as what it is: nothing is lost', async () => {
    const folder = join(directory, 'logs')
    mkdirSync(folder)
    const log = createAccessLog({ format: '%(id)s', file: join(folder, 'a.log') })
    renameSync(folder, `${folder}.old`)
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    log?.reopen()
    log?.write(entry())
    log?.close()
    expect((await warned).message).toMatch(
      /^cannot open the log file (\S+a\.log): ENOENT: [^:]*'\1'; its lines go on to the file that was open$/,
    )
    expect(readFileSync(join(`${folder}.old`, 'a.log'), 'latin1')).toBe('r-1\n')
  })

  test('of a write that was cut one line is broken, and no other', async () => {
    const file = join(directory, 'fifo')
    execFileSync('mkfifo', [file])
    const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const log = openBackgroundFile(file, 1024 * 1024)
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    // More than a pipe holds.
    log.write(`${'x'.repeat(1024 * 1024)}\n`)
    await vi.waitFor(() => expect(readSync(reader, Buffer.alloc(1))).toBe(1))
    closeSync(reader)
    expect((await warned).message).toContain('EPIPE')
    const last = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stump = Buffer.alloc(1024 * 1024)
    expect(stump.toString('latin1', 0, readSync(last, stump))).toMatch(/^x+$/)
    log.writeSync('next\n')
    log.writeSync('and next\n')
    log.close()
    expect(readFileSync(last, 'latin1').replace(/^x+/, '')).toBe('\nnext\nand next\n')
    closeSync(last)
  })

  test('what another worker could write only in part does not take a line of this one with it', async () => {
    const file = join(directory, 'access.log')
    const log = openBackgroundFile(file, 4096)
    log.writeSync('one\n')
    log.close()
    appendFileSync(file, 'stu')
    const other = openBackgroundFile(file, 4096)
    other.write('two\n')
    await vi.waitFor(() => expect(readFileSync(file, 'latin1')).toBe('one\nstu\ntwo\n'))
    other.writeSync('three\n')
    other.close()
    expect(readFileSync(file, 'latin1')).toBe('one\nstu\ntwo\nthree\n')
  })

  test('a disk that was full costs lines, and cuts one at most', async ({ skip }) => {
    const disk = join(directory, 'disk')
    mkdirSync(disk)
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk])
    skip(mount.status !== 0, 'only root can mount')
    const said: string[] = []
    const stop = onLogFault((message) => said.push(message))
    try {
      const file = join(disk, 'access.log')
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(8192))
      const logs = [openBackgroundFile(file, 4096), openBackgroundFile(file, 4096)]
      const line = 'a line of some length\n'
      for (let round = 0; round < 600; round += 1) logs[round % 2]?.writeSync(line)
      unlinkSync(join(disk, 'ballast'))
      for (let round = 0; round < 50; round += 1) logs[round % 2]?.writeSync(line)
      for (const log of logs) log.close()
      const lines = readFileSync(file, 'latin1').split('\n').slice(0, -1)
      expect(lines.filter((each) => each !== line.trim())).toHaveLength(1)
      expect(lines.slice(-50)).toEqual(Array(50).fill(line.trim()))
      await vi.waitFor(() => expect(said).toHaveLength(2))
    } finally {
      stop()
      execFileSync('umount', [disk])
    }
  })

  test('a full disk keeps nobody from leaving', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const full = openBackgroundFile('/dev/full', 4096)
    full.writeSync('x\n')
    full.close()
    expect((await warned).message).toContain('cannot write to the log /dev/full')
  })

  test('a file that cannot be opened is a mistake of the operator', () => {
    expect(() => createAccessLog({ format: 'json', file: join(directory, 'none', 'x') })).toThrow(/cannot open the log/)
  })
})
