import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findGroup, findUser, groupsOf } from '../../src/master/accounts.ts'
import { takeActivatedFds } from '../../src/master/activation.ts'
import { controlRequest } from '../../src/master/control-client.ts'
import { writePidfile } from '../../src/master/pidfile.ts'
import { workerIdentity } from '../../src/master/privileges.ts'
import { SIGNALS } from '../../src/master/signals.ts'
import { Sockets } from '../../src/master/sockets.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'
import { ask, startFakePool } from './support/fake-pool.ts'

const isRoot = process.getuid?.() === 0

function readAll(where: string | { readonly host: string; readonly port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = typeof where === 'string' ? connect(where) : connect(where)
    socket
      .on('data', (chunk) => {
        text += String(chunk)
      })
      .on('error', reject)
      .on('close', () => resolve(text))
  })
}

describe('--stats', () => {
  test('is the JSON that uwsgitop reads, then the end', async () => {
    const directory = tempDir()
    const path = join(directory, 'stats.sock')
    const pool = await startFakePool({ config: { workers: 2, stats: path } })
    await pool.ask()
    const stats: unknown = await until('a worker reported its request', async () => {
      const text = await readAll(path)
      return text.includes('"requests":1') ? JSON.parse(text) : undefined
    })
    expect(stats).toMatchObject({
      version: expect.stringMatching(/^tsgi-\d/),
      pid: pool.server.pid,
      listen_queue: 0,
      uid: process.getuid?.(),
      sockets: [{ name: `unix:${pool.socket}`, proto: 'uwsgi' }],
      workers: [
        { id: 1, status: 'idle', exceptions: 0, avg_rt: 0, tx: 0, respawn_count: 1, cores: [{ id: 0, in_request: 0 }] },
        { id: 2 },
      ],
    })
  })
})

describe('--metrics', () => {
  test('serves Prometheus text at /metrics, and nothing else', async () => {
    const pool = await startFakePool({ config: { workers: 2, metrics: '127.0.0.1:0' } })
    const [, port] = await pool.server.waitForLog(/metrics are at 127\.0\.0\.1:(\d+)/)
    const response = await fetch(`http://127.0.0.1:${port}/metrics`)
    expect(response.headers.get('content-type')).toContain('text/plain')
    const text = await response.text()
    expect(text).toContain('tsgi_workers 2')
    expect(text).toContain('tsgi_requests_total 0')
    expect((await fetch(`http://127.0.0.1:${port}/secrets`)).status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status).toBe(405)
  })
})

describe('--stats and --metrics over TCP', () => {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address

  test.skipIf(own === undefined)('answer whom a listener for requests answers, also after a reload', async () => {
    const config = { workers: 1, stats: ':0', metrics: ':0' }
    const pool = await startFakePool({ config })
    const [, stats] = await pool.server.waitForLog(/statistics are at :(\d+)/)
    const [, metrics] = await pool.server.waitForLog(/metrics are at :(\d+)/)
    const readStats = (host = '') => readAll({ host, port: Number(stats) })
    const readMetrics = (host = '') => fetch(`http://${host}:${metrics}/metrics`, { headers: { connection: 'close' } })
    expect(JSON.parse(await readStats('127.0.0.1'))).toMatchObject({ pid: pool.server.pid })
    expect((await readMetrics('127.0.0.1')).status).toBe(200)
    expect(await readStats(own)).toBe('')
    await expect(readMetrics(own)).rejects.toThrow()
    for (const port of [stats, metrics]) {
      await pool.server.waitForLog(new RegExp(`${own} may not connect to .*:${port} \\(--allow-from\\)`))
    }
    pool.configure({ ...config, allowFrom: `${own}/32` })
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/reloaded: generation 2/)
    expect(JSON.parse(await readStats(own))).toMatchObject({ pid: pool.server.pid })
    expect((await readMetrics(own)).status).toBe(200)
  })
})

describe('a socket of the master itself whose file is removed', () => {
  test('is told as lost, and bound anew by a reload', async () => {
    const directory = tempDir()
    const stats = join(directory, 'stats.sock')
    const pool = await startFakePool({ directory, config: { workers: 1, stats } })
    for (const path of [pool.control, stats]) {
      rmSync(path)
      await pool.server.waitForLog(new RegExp(`"level":"error".*${path}: its file was removed.*reload .SIGHUP.`))
    }
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(/reloaded: generation 2/)
    expect(JSON.parse(await readAll(stats))).toMatchObject({ pid: pool.server.pid })
    const pong = await controlRequest(pool.control, { command: 'ping' }, () => undefined)
    expect(pong).toEqual({ kind: 'ok', result: { pid: pool.server.pid } })
    expect(statSync(pool.control).mode & 0o777).toBe(0o600)
    await pool.server.stop()
    expect(existsSync(pool.control) || existsSync(stats)).toBe(false)
  })

  test('costs no reload where another process has taken its place', async () => {
    const pool = await startFakePool({ config: { workers: 1 } })
    rmSync(pool.control)
    const other = createServer().listen(pool.control)
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    pool.server.signal('SIGHUP')
    await pool.server.waitForLog(new RegExp(`${pool.control}: another process is serving it`))
    await pool.server.waitForLog(/reloaded: generation 2/)
    expect(existsSync(pool.control)).toBe(true)
  })
})

describe('--pidfile', () => {
  test('names the master while it runs', async () => {
    const path = join(tempDir(), 'tsgi.pid')
    const pool = await startFakePool({ config: { workers: 1, pidfile: path } })
    expect(readFileSync(path, 'utf8')).toBe(`${pool.server.pid}\n`)
    await pool.server.stop()
    expect(existsSync(path)).toBe(false)
  })

  test('of a process that runs is refused', () => {
    const path = join(tempDir(), 'tsgi.pid')
    writeFileSync(path, `${process.ppid}\n`)
    expect(() => writePidfile(path)).toThrow(`names process ${process.ppid}, which is running`)
    expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`)
  })

  test('of a process that began after it was written is replaced: its writer was killed, and the id is taken anew', () => {
    const path = join(tempDir(), 'tsgi.pid')
    writeFileSync(path, `${process.ppid}\n`)
    utimesSync(path, 0, 0)
    writePidfile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  })

  test.each(['4194999\n', ''])('with %j is replaced', (text) => {
    const path = join(tempDir(), 'tsgi.pid')
    writeFileSync(path, text)
    const remove = writePidfile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    remove()
    expect(existsSync(path)).toBe(false)
  })

  test('is not written over what somebody else may need', () => {
    const folder = tempDir()
    const program = join(folder, 'app.ts')
    writeFileSync(program, 'export {}')
    mkdirSync(join(folder, 'run'))
    for (const path of [program, join(folder, 'run'), '/dev/null']) {
      expect(() => writePidfile(path)).toThrow(`--pidfile ${path}: something that holds no process id is there`)
    }
    expect(readFileSync(program, 'utf8')).toBe('export {}')
    expect(readdirSync(folder)).toEqual(['app.ts', 'run'])
  })

  test('is written through no link that somebody put where it is made', () => {
    const directory = tempDir()
    const [path, other] = [join(directory, 'tsgi.pid'), join(directory, 'other')]
    writeFileSync(other, 'precious')
    symlinkSync(other, `${path}.${process.pid}`)
    const remove = writePidfile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    expect(readFileSync(other, 'utf8')).toBe('precious')
    remove()
  })

  test('is not removed once it names another', () => {
    const path = join(tempDir(), 'tsgi.pid')
    const remove = writePidfile(path)
    writeFileSync(path, '1\n')
    remove()
    expect(readFileSync(path, 'utf8')).toBe('1\n')
  })

  test('that cannot be written is a usage error', () => {
    expect(() => writePidfile(join(tempDir(), 'none', 'tsgi.pid'))).toThrow('cannot be written')
  })
})

describe('accounts', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002:An app:/srv/app:/bin/false\n'
  const group = 'root:x:0:\napp:x:1002:\nredis:x:110:other,app\nmail:x:8:apple\n'

  test('are found by name and by number', () => {
    const app = { uid: 1001, name: 'app', gid: 1002, home: '/srv/app' }
    expect(findUser('app', passwd)).toEqual(app)
    expect(findUser('1001', passwd)).toEqual(app)
    expect(findUser('7', passwd)).toEqual({ uid: 7, name: undefined, gid: undefined, home: undefined })
    expect(() => findUser('ap', passwd)).toThrow('no user ap')
    expect(findGroup('redis', group)).toBe(110)
    expect(findGroup('7', group)).toBe(7)
    expect(() => findGroup('x', group)).toThrow('no group x')
  })

  test('belong to every group that lists them, and to no other', () => {
    expect(groupsOf('app', 1002, group)).toEqual([1002, 110])
    expect(groupsOf(undefined, 1002, group)).toEqual([1002])
  })
})

describe('--user and --group', () => {
  test('of nobody else leave the workers what the master is', () => {
    expect(workerIdentity({ user: undefined, group: undefined })).toBeUndefined()
  })

  test.runIf(isRoot)('make a number without an entry need a group', () => {
    expect(() => workerIdentity({ user: '54321', group: undefined })).toThrow('add --group')
    expect(workerIdentity({ user: '54321', group: '12345' })).toMatchObject({
      uid: 54_321,
      gid: 12_345,
      groups: [12_345],
    })
  })

  test.runIf(isRoot)(
    'are who the workers are, and who owns the socket and the log; the master stays root',
    async () => {
      const directory = tempDir()
      chmodSync(directory, 0o777)
      const log = join(directory, 'tsgi.log')
      const pool = await startFakePool({
        config: { workers: 1, user: 'nobody', accessLogFile: log, accessLog: 'json' },
      })
      const nobody = findUser('nobody')
      const who = await pool.ask()
      expect(who).toMatchObject({ uid: nobody.uid, gid: nobody.gid, groups: [nobody.gid], home: nobody.home })
      expect(statSync(pool.socket)).toMatchObject({ uid: nobody.uid, gid: nobody.gid })
      expect(statSync(log)).toMatchObject({ uid: nobody.uid })
      expect(statSync(`/proc/${pool.server.pid}`).uid).toBe(0)
    },
  )
})

describe('sockets that the process was started with', () => {
  test('are those of LISTEN_FDS, for the process that LISTEN_PID names only; the variables go', () => {
    const mine = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b', PATH: '/bin' }
    expect(takeActivatedFds(mine, 7)).toEqual([3, 4])
    expect(mine).toEqual({ PATH: '/bin' })
    const others = { LISTEN_PID: '8', LISTEN_FDS: '2' }
    expect(takeActivatedFds(others, 7)).toEqual([])
    expect(others).toEqual({})
    expect(takeActivatedFds({ LISTEN_FDS: '2' }, 7)).toEqual([])
    expect(takeActivatedFds({ LISTEN_PID: '7', LISTEN_FDS: 'two' }, 7)).toEqual([])
  })

  /** A master with this socket as descriptor 3, as systemd would start it. */
  async function activated(fd: number, address: string, directory: string) {
    const config = join(directory, 'config.json')
    const application = join(directory, 'application.json')
    writeFileSync(application, '{"version":"activated"}')
    const configure = (uwsgi: string): void =>
      writeFileSync(config, JSON.stringify({ uwsgi: [uwsgi], workers: 1, logFormat: 'json' }))
    configure(address)
    const program = join(import.meta.dirname, 'support', 'master-program.ts')
    const run = `export LISTEN_PID=$$ LISTEN_FDS=1; exec ${process.execPath} --import ${import.meta.resolve('tsx')} ${program} ${application} ${config}`
    const child = spawn('sh', ['-c', run], { stdio: ['ignore', 'pipe', 'pipe', fd] })
    const exited = new Promise((resolve) => child.once('exit', resolve))
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM')
      await exited
    }
    onTestFinished(stop)
    const lines: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => lines.push(String(chunk)))
    }
    await until('the master is ready', () => lines.join('').includes('"msg":"ready'), 15_000)
    const reload = (uwsgi: string): void => {
      configure(uwsgi)
      child.kill('SIGHUP')
    }
    return { lines, stop, reload }
  }

  /** A socket at this path that listens in no process yet. */
  async function systemdSocket(path: string): Promise<number> {
    const none = { fastcgi: [], scgi: [], http: [], socket: [], socketOwner: undefined, socketGroup: undefined }
    const sockets = new Sockets(undefined, [])
    onTestFinished(() => sockets.keepOnly([]))
    const [systemd] = await sockets.bind({ uwsgi: [path], ...none, socketMode: 0o600 })
    return systemd?.handle.fd ?? -1
  }

  test.each(['fd:3', 'its path'])('serve by %s, and their file stays when the master goes', async (by) => {
    const directory = tempDir()
    const path = join(directory, 'systemd.sock')
    const { lines, stop } = await activated(await systemdSocket(path), by === 'fd:3' ? by : path, directory)
    expect(lines.join('')).toContain('uwsgi fd:3')
    expect(await ask(path, 'who')).toMatchObject({ version: 'activated' })
    await stop()
    expect(existsSync(path)).toBe(true)
  })

  test('are gone when a reload has let go of them, and are not taken for what is open by then', async () => {
    const directory = tempDir()
    const other = join(directory, 'other.sock')
    const { lines, reload } = await activated(await systemdSocket(join(directory, 'systemd.sock')), 'fd:3', directory)
    reload(other)
    await until('the other one is served', () => lines.join('').includes('generation 2 serves'))
    reload('fd:3')
    const refused = 'the reload failed, generation 2 goes on: fd:3 was closed when a reload let go of it: restart'
    await until('the closed one is refused', () => lines.join('').includes(refused))
    expect(await ask(other, 'who')).toMatchObject({ generation: 2 })
  })
})

test('every signal has a sentence of help', () => {
  for (const { help } of Object.values(SIGNALS)) expect(help).toMatch(/^[A-Z].*\.$/)
})
