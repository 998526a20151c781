import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findCommand } from '../../scripts/peers.mjs'
import { collectResponse, type GatewayResponse } from '../../src/client/request.ts'
import { createUwsgiResponseParser, encodeUwsgiRequest } from '../../src/client/uwsgi.ts'
import { accepts } from '../support/accepts.ts'
import { freePort } from '../support/ports.ts'
import { childPids, isAlive } from '../support/proc.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine, onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

interface Deployment {
  readonly tsgi: Tsgi
  readonly socket: string
  readonly control: string
  readonly app: string
  readonly deploy: (code: string) => void
}

/** Answers its version and pid, `/slow` only after half a second. */
const version = (name: string): string => `
export const application = async (environ: Record<string, unknown>, startResponse: Function) => {
  if (environ['PATH_INFO'] === '/slow') await new Promise((resolve) => setTimeout(resolve, 500))
  for await (const _ of environ['tsgi.input'] as AsyncIterable<Uint8Array>) continue
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode('${name} ' + process.pid)]
}`

async function deployed(args: readonly string[] = []): Promise<Deployment> {
  const directory = tempDir('tsgi-process-')
  const app = join(directory, 'app.ts')
  const socket = join(directory, 'app.sock')
  const control = join(directory, 'ctl.sock')
  const deploy = (code: string): void => writeFileSync(app, code)
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  deploy(version('one'))
  const tsgi = await startTsgi({ app, args: ['--uwsgi', socket, '--control', control, ...args], cwd: directory })
  // Workers that tick beside the next test would only make it slower.
  onTestFinished(async () => void (await tsgi.stop()))
  return { tsgi, socket, control, app, deploy }
}

/** @param where a Unix socket, or a port of this machine */
function ask(
  where: string | number,
  target = '/',
  body = '',
  connected = (): void => undefined,
): Promise<GatewayResponse> {
  const params = ['REQUEST_METHOD', body === '' ? 'GET' : 'POST', 'REQUEST_URI', target, 'PATH_INFO', target]
  const common = ['QUERY_STRING', '', 'SERVER_PROTOCOL', 'HTTP/1.1', 'SERVER_NAME', 'localhost', 'SERVER_PORT', '80']
  const request = { params: [...params, ...common], body: Buffer.from(body) }
  return new Promise((resolve, reject) => {
    const parser = createUwsgiResponseParser(false)
    const events: ReturnType<typeof parser.feed>[number][] = []
    const socket = dial(where)
    socket.on('connect', () => {
      connected()
      socket.write(Buffer.concat(encodeUwsgiRequest(request)))
    })
    socket.on('data', (chunk) => events.push(...parser.feed(chunk)))
    socket.on('error', reject)
    socket.on('end', () => {
      events.push(...parser.close())
      try {
        resolve(collectResponse(events))
      } catch (error) {
        reject(error)
      }
    })
  })
}

const dial = (where: string | number): Socket =>
  typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1')

/** `'connected'`, or the code of the error. */
function dialled(where: string | number): Promise<string> {
  return new Promise((resolve) => {
    const socket = dial(where)
    socket.on('connect', () => socket.destroy())
    socket.on('close', () => resolve('connected'))
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
  })
}

const text = async (path: string, target?: string): Promise<string> => String((await ask(path, target)).body)

function ctl(control: string, command: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [commandLine, 'ctl', command, '--control', control])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += String(chunk)
    })
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}

test('the last worker is killed: who calls meanwhile waits and is served by its replacement', async () => {
  const { tsgi, socket } = await deployed(['--workers', '1'])
  const pid = await onlyWorker(tsgi)
  expect(await text(socket)).toBe(`one ${pid}`)
  process.kill(pid, 'SIGKILL')
  await until('it is dead', () => !isAlive(pid))
  expect(await text(socket)).toMatch(/^one \d+$/)
  expect(await onlyWorker(tsgi)).not.toBe(pid)
})

test('the master is killed: its workers are gone within two seconds', async () => {
  const { tsgi, socket } = await deployed(['--workers', '2'])
  const workers = tsgi.workerPids()
  expect(workers).toHaveLength(2)
  await text(socket)
  tsgi.signal('SIGKILL')
  await until('the workers are gone', () => !workers.some(isAlive), 2000)
})

/** Keeps its event loop alive, as a pool of database connections does. */
const TIMER = 'setInterval(() => undefined, 1000)'

/** As Fastify's applications look, with a `close` that waits for ever. */
const NEVER_CLOSED = `
import { createServer } from 'node:http'
const server = createServer((_request, response) => void response.end('open'))
export default { server, ready: async () => {}, routing: () => {}, close: () => new Promise(() => {}) }`

test.each([
  ['with a timer', `${TIMER}\n${version('two')}`],
  ['with a timer whose shutdown never ends', `${NEVER_CLOSED}\n${TIMER}`],
])('the master is killed: its workers leave an application %s', async (_name, code) => {
  const { tsgi, socket, control, deploy } = await deployed(['--workers', '2'])
  deploy(code)
  expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  await text(socket)
  const workers = await until('only the new workers', () => {
    const pids = tsgi.workerPids()
    return pids.length === 2 && pids
  })
  tsgi.signal('SIGKILL')
  await until('the workers are gone', () => !workers.some(isAlive))
})

test('the master is killed while a worker hangs: whoever cannot bind the address is told which process that is', async () => {
  const { tsgi, socket, app, control, deploy } = await deployed(['--workers', '1'])
  deploy(`
    import { writeSync } from 'node:fs'
    export const application = () => {
      writeSync(2, 'hangs\\n')
      for (;;) continue
    }`)
  expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  const worker = await onlyWorker(tsgi)
  onTestFinished(() => void (isAlive(worker) && process.kill(worker, 'SIGKILL')))
  const answer = ask(socket).catch(() => 'none')
  await tsgi.waitForLog(/^hangs$/)
  tsgi.signal('SIGKILL')
  const second = await startTsgi({ app, args: ['--uwsgi', socket], waitUntilReady: false })
  expect(await second.process.exited).toEqual({ code: 4, signal: null })
  expect(second.process.lines.join('\n')).toContain(`another process is serving it (node, pid ${worker}); stop`)
  process.kill(worker, 'SIGKILL')
  expect(await answer).toBe('none')
})

test('a reload of broken code ends with an exit code and the stack, and the old code keeps serving', async () => {
  const { tsgi, socket, control, deploy } = await deployed(['--workers', '2'])
  const workers = tsgi.workerPids().sort()
  deploy("throw new Error('deployed on a Friday')")
  const failed = await ctl(control, 'reload')
  expect(failed.code).not.toBe(0)
  expect(failed.output).toContain('deployed on a Friday')
  expect(failed.output).toContain('app.ts:1')
  expect(await text(socket)).toMatch(/^one /)
  await until('only the old workers are left', () => tsgi.workerPids().length === 2)
  expect(tsgi.workerPids().sort()).toEqual(workers)
  deploy(version('two'))
  expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  expect(await text(socket)).toMatch(/^two /)
})

test('a socket file that somebody removed is told of, and a reload binds it anew', async () => {
  const { tsgi, socket, control } = await deployed(['--workers', '1'])
  unlinkSync(socket)
  await tsgi.waitForLog(/"level":"error".*app\.sock: its file was removed or replaced/)
  expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  expect(await text(socket)).toMatch(/^one \d+$/)
  await tsgi.stop()
  expect(existsSync(socket)).toBe(false)
})

test('a worker that ends by an error which nobody catches says which in the log', async () => {
  const { tsgi, socket, control, deploy } = await deployed(['--workers', '1'])
  deploy("export const application = () => { void Promise.reject(new Error('deployed on a Monday')); return [] }")
  expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  await Promise.allSettled([ask(socket)])
  await tsgi.waitForLog(
    /"level":"error".*deployed on a Monday.*a rejected promise that nobody handles ends this worker/,
  )
})

test.each([
  ['at once', 'process.exit(7)'],
  ['later', 'return new Promise(() => setImmediate(() => process.exit(7)))'],
])(
  'an application that calls process.exit() %s is told with the requests that this breaks off',
  async (_when, code) => {
    const { tsgi, socket, control, deploy } = await deployed(['--workers', '1'])
    deploy(`export const application = () => { ${code} }`)
    expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
    await Promise.allSettled([ask(socket)])
    await tsgi.waitForLog(/"level":"error".*"exitCode":7,"requests":\["GET [^"]+"\].*process\.exit\(\)/)
  },
)

test('one that does so while its worker drains is told with those that it still had', async () => {
  const { tsgi, socket, app, deploy, control } = await deployed(['--workers', '1'])
  const word = `${app}.word`
  deploy(`import { existsSync } from 'node:fs'
  export const application = (environ) => new Promise(() => {
    environ['tsgi.errors'].write('it waits\\n')
    setInterval(() => existsSync('${word}') && process.exit(7), 20)
  })`)
  expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  const asked = Promise.allSettled([ask(socket, '/last')])
  await tsgi.waitForLog(/it waits/)
  tsgi.signal('SIGTERM')
  await tsgi.waitForLog(/drains: SIGTERM/)
  writeFileSync(word, '')
  await tsgi.waitForLog(/"level":"error".*"exitCode":7,"requests":\["GET \/last"\].*process\.exit\(\)/)
  await asked
})

const prlimit = findCommand('prlimit')

test.skipIf(prlimit === undefined)('a worker without a descriptor left says so and goes on', async () => {
  const { tsgi, socket } = await deployed(['--workers', '1'])
  const worker = await onlyWorker(tsgi)
  const limit = (soft: number): void => {
    execFileSync(prlimit ?? '', ['--pid', String(worker), `--nofile=${soft}:`])
  }
  limit(5)
  await tsgi.waitForLog(/"level":"error".*no file descriptor is left/)
  limit(1000)
  expect(await text(socket)).toBe(`one ${worker}`)
})

describe.skipIf(prlimit === undefined)(
  'a worker with few descriptors left closes nobody: who comes waits until others go',
  () => {
    test.each([
      ['uwsgi', 'nothing is said', ''],
      ['http', 'much is asked at once', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ])('over %s, where %s', async (protocol, _what, said) => {
      const directory = tempDir('tsgi-process-')
      const [app, path, other] = ['app.mjs', 'app.sock', 'other.sock'].map((name) => join(directory, name))
      if (app === undefined || path === undefined || other === undefined) throw new Error('names are missing')
      writeFileSync(
        app,
        version('one').replaceAll(/: Record<string, unknown>|: Function| as AsyncIterable<Uint8Array>/g, ''),
      )
      const args = ['serve', app, '--workers', '1', `--${protocol}`, path, '--uwsgi', other]
      const server = startServer({
        name: 'tsgi',
        command: prlimit ?? '',
        args: ['--nofile=256:256', process.execPath, commandLine, ...args],
      })
      await server.waitForLog(/ready: 1 worker/)
      const [worker] = childPids(server.pid)
      if (worker === undefined) throw new Error('no worker')
      // All are in the queue, with what they say, when the worker looks.
      process.kill(worker, 'SIGSTOP')
      let closed = 0
      const many = Array.from({ length: 300 }, () => connect(path).resume())
      for (const socket of many) {
        socket.on('close', () => (closed += 1))
        if (socket.connecting) await once(socket, 'connect')
        if (said !== '') await new Promise((resolve) => socket.write(said, resolve))
      }
      process.kill(worker, 'SIGCONT')
      await server.waitForLog(/few of 256 file descriptors are left/)
      const answer = ask(other)
      expect(closed).toBe(0)
      for (const socket of many) socket.destroy()
      expect((await answer).status).toBe(200)
      expect(server.lines.filter((line) => /no file descriptor is left/.test(line))).toEqual([])
      await server.stop()
    })
  },
)

test('a worker whose event loop is kept busy by one request does not look idle', async () => {
  const { socket, control, app, deploy } = await deployed(['--workers', '1'])
  const enough = `${app}.enough`
  deploy(`import { existsSync } from 'node:fs'
  export const application = (environ, startResponse) => {
    while (!existsSync('${enough}'));
    startResponse('200 OK', [])
    return []
  }`)
  expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  const slow = ask(socket)
  await until('it is shown as busy', async () => (await ctl(control, 'workers')).output.includes('100 %'))
  writeFileSync(enough, '')
  expect((await slow).status).toBe(200)
})

// Forty, through nginx, are in test/load.
test('reloads under constant POSTs lose none', async () => {
  const { socket, control } = await deployed(['--workers', '2'])
  let running = true
  let answered = 0
  const client = async (): Promise<void> => {
    while (running) {
      const response = await ask(socket, '/', 'x'.repeat(1000))
      expect(response).toMatchObject({ status: 200, endedCleanly: true })
      answered += 1
    }
  }
  const clients = [client(), client(), client(), client()]
  for (let reload = 0; reload < 2; reload += 1) expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
  running = false
  await Promise.all(clients)
  expect(answered).toBeGreaterThan(100)
})

test('a SIGTERM to every process of the service, as systemd sends it, lets the request in flight finish', async () => {
  const { tsgi, socket } = await deployed(['--workers', '1'])
  const worker = await onlyWorker(tsgi)
  const slow = text(socket, '/slow')
  // Served after the slow one was accepted, as both are in one queue.
  await text(socket)
  process.kill(worker, 'SIGTERM')
  tsgi.signal('SIGTERM')
  expect(await slow).toBe(`one ${worker}`)
  expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
  expect(existsSync(socket)).toBe(false)
})

test.each(['a Unix socket', 'a TCP port'])(
  'who waits in the queue of %s is served after a SIGTERM, with every worker at its cap',
  async (kind) => {
    const port = kind === 'a TCP port' ? await freePort() : undefined
    const { tsgi, socket, control, deploy } = await deployed([
      ...['--workers', '2', '--max-concurrency', '1'],
      ...(port === undefined ? [] : ['--uwsgi', `127.0.0.1:${port}`]),
    ])
    deploy(`let running = 0
    export const application = async (environ, startResponse) => {
      console.log(\`begun: \${environ.REQUEST_URI}\`)
      running += 1
      await new Promise((resolve) => setTimeout(resolve, 300))
      startResponse('200 OK', [])
      return [Buffer.from(\`\${running--} at a time\`)]
    }`)
    expect(await ctl(control, 'reload')).toMatchObject({ code: 0 })
    await until('the old workers are gone', () => tsgi.workerPids().length === 2)
    const where = port ?? socket
    const served = [ask(where, '/first'), ask(where, '/second')]
    await tsgi.waitForLog(/begun: \/first/)
    await tsgi.waitForLog(/begun: \/second/)
    for (let queued = 0; queued < 5; queued += 1) {
      await new Promise<void>((connected) => served.push(ask(where, '/queued', '', connected)))
    }
    tsgi.signal('SIGTERM')
    await until('nobody can connect any more', async () => (await dialled(where)) !== 'connected')
    expect(tsgi.process.isRunning()).toBe(true)
    const answers = (await Promise.all(served)).map(({ body }) => String(body))
    expect(answers).toEqual(served.map(() => '1 at a time'))
    expect(await tsgi.process.exited).toEqual({ code: 0, signal: null })
  },
)

test('a SIGTERM to one worker replaces it without losing a request', async () => {
  const { tsgi, socket } = await deployed(['--workers', '1'])
  const worker = await onlyWorker(tsgi)
  const slow = text(socket, '/slow')
  await text(socket)
  process.kill(worker, 'SIGTERM')
  await until('its successor answers', async () => (await text(socket)) !== `one ${worker}`)
  expect(await slow).toBe(`one ${worker}`)
  await until('it has left', () => !isAlive(worker))
})

test('a SIGHUP from the reading of the configuration on ends nothing', async () => {
  const cwd = tempDir()
  writeFileSync(join(cwd, 'app.mjs'), 'export const application = () => []')
  const slow = "console.error('reading'); await new Promise((resolve) => setTimeout(resolve, 500))"
  writeFileSync(join(cwd, 'tsgi.config.mjs'), `${slow}; export default { workers: 1, uwsgi: ['./app.sock'] }`)
  const tsgi = await startTsgi({ app: 'app.mjs', cwd, waitUntilReady: false })
  await tsgi.waitForLog(/reading/)
  const again = setInterval(() => tsgi.signal('SIGHUP'), 5)
  await tsgi.waitForLog(/is bound to/).finally(() => clearInterval(again))
  await tsgi.waitForLog(/"msg":"ready: 1 worker/)
})

test('a worker to which `systemctl kill` sends what is for the master goes on, and opens no debugger', async () => {
  const { tsgi, socket } = await deployed(['--workers', '1'])
  const worker = await onlyWorker(tsgi)
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGTTIN', 'SIGTTOU'] as const) {
    process.kill(worker, signal)
    expect(await text(socket)).toBe(`one ${worker}`)
  }
  expect(tsgi.process.lines.join('\n')).not.toContain('Debugger')
})

test('an application that does not load ends tsgi with 3 and says what was found', async () => {
  const directory = tempDir()
  const app = join(directory, 'app.ts')
  writeFileSync(app, 'export const nothing = 1')
  const socket = join(directory, 'app.sock')
  const tsgi = await startTsgi({ app, args: ['--uwsgi', socket], waitUntilReady: false })
  expect(await tsgi.process.exited).toEqual({ code: 3, signal: null })
  expect(tsgi.process.lines.join('\n')).toContain('nothing')
  expect(existsSync(socket)).toBe(false)
})

test('nobody is connected to an application whose startup is not complete', async () => {
  const directory = tempDir()
  const app = join(directory, 'app.mjs')
  const go = join(directory, 'go')
  const socket = join(directory, 'app.sock')
  writeFileSync(
    app,
    `import { existsSync } from 'node:fs'
     import { setTimeout } from 'node:timers/promises'
     let started = false
     export const application = async (scope, receive, send) => {
       if (scope.type === 'lifespan') {
         await receive()
         console.log('starting')
         while (!existsSync(${JSON.stringify(go)})) await setTimeout(10)
         started = true
         await send({ type: 'lifespan.startup.complete' })
         return
       }
       await send({ type: 'http.response.start', status: 200 })
       await send({ type: 'http.response.body', body: Buffer.from('started: ' + started) })
     }`,
  )
  const args = ['--interface', 'async', '--workers', '1', '--uwsgi', socket]
  const tsgi = await startTsgi({ app, args, waitUntilReady: false })
  onTestFinished(async () => void (await tsgi.stop()))
  await tsgi.waitForLog(/^starting$/)
  // Each is a turn or more of the worker's event loop.
  for (let turn = 0; turn < 50; turn += 1) expect(await accepts(socket)).toBe(false)
  writeFileSync(go, '')
  await tsgi.waitForLog(/"msg":"ready: 1 worker/)
  expect(String((await ask(socket)).body)).toBe('started: true')
})

test('with --log-file, whoever starts what does not start is told where to look', async () => {
  const directory = tempDir()
  const app = join(directory, 'app.ts')
  writeFileSync(app, 'export const nothing = 1')
  const log = join(directory, 'tsgi.log')
  const args = ['--uwsgi', join(directory, 'app.sock'), '--log-file', log]
  const tsgi = await startTsgi({ app, args, waitUntilReady: false })
  expect(await tsgi.process.exited).toEqual({ code: 3, signal: null })
  expect(tsgi.process.lines).toEqual([`tsgi: ended with exit code 3; ${log} says why`])
  expect(readFileSync(log, 'utf8')).toContain('nothing')
})

// Every write to it fails with ENOSPC (full(4)).
test.skipIf(!existsSync('/dev/full'))(
  'an access log on a full disk costs its lines alone, and the log says so',
  async () => {
    const { tsgi, socket } = await deployed([
      '--workers',
      '1',
      '--access-log',
      'combined',
      '--access-log-file',
      '/dev/full',
    ])
    expect(await text(socket)).toMatch(/^one /)
    await tsgi.waitForLog(/"level":"error".*cannot write to the log \/dev\/full, its lines are lost: ENOSPC/)
    expect(await text(socket)).toMatch(/^one /)
  },
)

test('an address that another tsgi serves ends the second with 4 and harms the first in nothing', async () => {
  const { tsgi, socket, app } = await deployed(['--workers', '1'])
  const second = await startTsgi({ app, args: ['--uwsgi', socket], waitUntilReady: false })
  expect(await second.process.exited).toEqual({ code: 4, signal: null })
  expect(second.process.lines.join('\n')).toContain(`another process is serving it (node, pid ${tsgi.pid}); stop`)
  expect(await text(socket)).toMatch(/^one /)
})

describe('a socket whose file may not be removed', () => {
  const setpriv = findCommand('setpriv')
  const isRoot = process.getuid?.() === 0
  // So that what a folder allows counts for root, too.
  const through = isRoot ? [setpriv ?? '', '--bounding-set', '-dac_override', '--'] : []

  test.skipIf(isRoot && setpriv === undefined)('is told when tsgi stops, which goes on as ever', async () => {
    const directory = tempDir()
    onTestFinished(() => chmodSync(directory, 0o700))
    const [app, socket] = [join(directory, 'app.ts'), join(directory, 'app.sock')]
    writeFileSync(app, version('one'))
    const [command = '', ...args] = [...through, process.execPath, commandLine, 'serve', app, '--uwsgi', socket]
    const server = startServer({ name: 'tsgi', command, args: [...args, '--workers', '1', '--log-format', 'json'] })
    await server.waitForLog(/ready: 1 worker/)
    chmodSync(directory, 0o500)
    let answer: Promise<GatewayResponse> | undefined
    await new Promise<void>((connected) => {
      answer = ask(socket, '/slow', '', connected)
    })
    server.signal('SIGTERM')
    await server.waitForLog(/"level":"error".*app\.sock: the file of this socket cannot be removed \(EACCES\)/)
    expect((await answer)?.status).toBe(200)
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(server.lines.filter((line) => line.includes('"level":"error"'))).toHaveLength(1)
  })
})

describe('an address on which somebody else listens by the time the workers do', () => {
  const unloaded = (): string => {
    const app = join(tempDir(), 'app.ts')
    writeFileSync(app, version('one'))
    return app
  }

  test.each([
    ['a second listener', '--http'],
    ['the metrics', '--metrics'],
  ])('as %s, ends the start with 4 and says which', async (_name, option) => {
    const port = await freePort()
    const args = ['--workers', '2', option, `127.0.0.1:${port}`, '--uwsgi', `:${port}`]
    const tsgi = await startTsgi({ app: unloaded(), args, waitUntilReady: false })
    expect(await tsgi.process.exited).toEqual({ code: 4, signal: null })
    const errors = tsgi.records().filter(({ level }) => level === 'error')
    expect(errors.length).toBeGreaterThan(0)
    for (const { msg, err } of errors) {
      expect(msg).toMatch(/could not start: .*:\d+ cannot be listened on \(EADDRINUSE\): something listens there/)
      expect(err).toBeUndefined()
    }
  })

  test('as another tsgi that starts at the same time, ends one of them with 4', async () => {
    const port = await freePort()
    const args = ['--workers', '1', '--uwsgi', `127.0.0.1:${port}`]
    const start = () => startTsgi({ app: unloaded(), args, waitUntilReady: false })
    const both = await Promise.all([start(), start()])
    await Promise.race(both.map(({ process: { exited } }) => exited))
    const [gone, serves] = both[0]?.process.isRunning() ? both.toReversed() : both
    expect(await gone?.process.exited).toEqual({ code: 4, signal: null })
    expect(gone?.process.lines.join('\n')).not.toContain('    at ')
    await serves?.waitForLog(/ready: 1 worker/)
    expect((await ask(port)).status).toBe(200)
  })
})
