import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { stopAfterTests } from '../support/started.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine, startTsgi } from '../support/tsgi.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

/** Says what arrived; /status/N answers N; /broken promises more than it sends; /slow never answers; /lines streams. */
const APP = `
const json = (value) => [new TextEncoder().encode(JSON.stringify(value))]
export const application = async (environ, startResponse) => {
  const [, name, value] = environ.PATH_INFO.split('/')
  if (name === 'status') { startResponse(value + ' As Asked', []); return [] }
  if (name === 'broken') { startResponse('200 OK', [['Content-Length', '10']]); return json(1) }
  if (name === 'slow') await new Promise(() => {})
  if (name === 'lines') {
    startResponse('200 OK', [])
    return (async function* () {
      for (;;) { yield new TextEncoder().encode('line\\n'); await new Promise((later) => setTimeout(later, 5)) }
    })()
  }
  const chunks = []
  for await (const chunk of environ['tsgi.input']) chunks.push(chunk)
  startResponse('200 OK', [['Content-Type', 'application/json'], ['X-Two', 'a'], ['X-Two', 'b']])
  const strings = Object.entries(environ).filter(([, value]) => typeof value === 'string')
  return json({ ...Object.fromEntries(strings), body: Buffer.concat(chunks).toString('latin1') })
}`

const PROTOCOLS = ['uwsgi', 'fastcgi', 'scgi', 'http'] as const
type Protocol = (typeof PROTOCOLS)[number]

let folder = ''
let socketOf: Record<Protocol, string>

beforeAll(async () => {
  folder = tempDir('tsgi-request-')
  const app = join(folder, 'app.mjs')
  writeFileSync(app, APP)
  socketOf = { uwsgi: sock('u'), fastcgi: sock('f'), scgi: sock('s'), http: sock('h') }
  const listeners = PROTOCOLS.flatMap((protocol) => [`--${protocol}`, socketOf[protocol]])
  await startTsgi({ app, args: [...listeners, '--workers', '1', '--graceful-timeout', '1'] })
})

const sock = (name: string) => join(folder, `${name}.sock`)

const ask = (protocol: Protocol, ...args: readonly string[]) =>
  runTsgi(['request', `--${protocol}`, socketOf[protocol], ...args], { cwd: folder })

const variables = async (...args: readonly string[]): Promise<Record<string, string>> =>
  JSON.parse((await ask('uwsgi', ...args)).stdout)

describe.each(PROTOCOLS)('tsgi request over %s', (protocol) => {
  test('prints the body alone, or the head with it', async () => {
    const { code, stdout, stderr } = await ask(protocol, 'http://example.com:8080/a%20b?q=1')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/a%20b?q=1',
      PATH_INFO: '/a b',
      QUERY_STRING: 'q=1',
      HTTP_HOST: 'example.com:8080',
    })
    const whole = await ask(protocol, '/', '-i')
    expect(whole.stdout).toMatch(/^HTTP\/1\.1 200 OK\n(?:.+\n)*Content-Type: application\/json\n(?:.+\n)*\n\{"/i)
    expect(whole.stdout).toMatch(/^X-Two: a\nX-Two: b$/im)
  })

  test('sends a body, from the command line, a file and standard input', async () => {
    const bytes = Buffer.from([0, 1, 255, 10])
    writeFileSync(join(folder, 'body.bin'), bytes)
    const given = JSON.parse((await ask(protocol, '/', '-d', 'a=é')).stdout)
    expect(given).toMatchObject({
      REQUEST_METHOD: 'POST',
      CONTENT_LENGTH: '4',
      CONTENT_TYPE: 'application/x-www-form-urlencoded',
      body: Buffer.from('a=é').toString('latin1'),
    })
    const file = JSON.parse((await ask(protocol, '/', '-X', 'PUT', '-d', '@body.bin')).stdout)
    expect(file).toMatchObject({ REQUEST_METHOD: 'PUT', body: bytes.toString('latin1') })
    const child = spawn(process.execPath, [commandLine, 'request', `--${protocol}`, socketOf[protocol], '-d', '@-'])
    child.stdin.end(bytes)
    expect(JSON.parse(await textOf(child))).toMatchObject({ body: bytes.toString('latin1') })
  })

  test('ends with the class of the status', async () => {
    const codes = ['204', '302', '404', '503'].map(async (status) => (await ask(protocol, `/status/${status}`)).code)
    expect(await Promise.all(codes)).toEqual([0, 0, 4, 5])
  })

  test('says that a response broke off', async () => {
    const { code, stderr } = await ask(protocol, '/broken')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^tsgi: \S+\.sock: .*(?:Content-Length says 10|broke off|reset before|given up)/)
  })

  test('gives up in time', async () => {
    const { code, stderr } = await ask(protocol, '/slow', '--timeout', '100ms')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `tsgi: ${socketOf[protocol]}: not complete within 0.1 s (--timeout)\n`,
    })
  })

  test('sends header fields, which replace the defaults', async () => {
    const { stdout } = await ask(protocol, '/', '-H', 'X-One: 1', '-H', 'user-agent: none of yours', '-H', 'Accept:')
    const environ: Record<string, string> = JSON.parse(stdout)
    expect(environ).toMatchObject({ HTTP_X_ONE: '1', HTTP_USER_AGENT: 'none of yours' })
    expect(environ).not.toHaveProperty('HTTP_ACCEPT')
  })
})

describe('tsgi request', () => {
  test('sends the variables that it is told to, in place of its own', async () => {
    const environ = await variables('/', '--param', 'REMOTE_ADDR=203.0.113.9', '--param', 'REMOTE_USER=ann=e')
    expect(environ).toMatchObject({ REMOTE_ADDR: '203.0.113.9', REMOTE_USER: 'ann=e' })
  })

  test('an https URL is a request that came over TLS', async () => {
    expect(await variables('https://example.com/')).toMatchObject({
      HTTPS: 'on',
      REQUEST_SCHEME: 'https',
      SERVER_NAME: 'example.com',
      SERVER_PORT: '443',
    })
  })

  test('changes nothing in a path that a front server might', async () => {
    expect(await variables('//a/../b%2Fc;d?x=//')).toMatchObject({
      REQUEST_URI: '//a/../b%2Fc;d?x=//',
      PATH_INFO: '//a/../b/c;d',
    })
  })

  test('repeats, counts and ends with the worst', async () => {
    const { code, stdout } = await ask('uwsgi', '/status/500', '--repeat', '5')
    expect(code).toBe(5)
    expect(stdout).toMatch(/^requests +5\nstatus 500 +5\ntime +least .* ms, median .* ms, 99 % .* ms, most .* ms\n$/)
  })

  test('prints a stream while it comes, and ends quietly when nobody reads on', async () => {
    const child = spawn(process.execPath, [commandLine, 'request', '--uwsgi', socketOf.uwsgi, '/lines'])
    const exited = once(child, 'exit')
    const stderr: Buffer[] = []
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    const [first]: Buffer[] = await once(child.stdout, 'data')
    expect(first?.toString()).toMatch(/^line\n/)
    child.stdout.destroy()
    await exited
    expect(Buffer.concat(stderr).toString()).toBe('')
    expect(child.exitCode).toBe(0)
  })

  test('finds the socket where serve found it', async () => {
    const { code } = await runTsgi(['request', '/status/200'], { cwd: folder, env: { TSGI_SCGI: socketOf.scgi } })
    expect(code).toBe(0)
    writeFileSync(join(folder, 'tsgi.config.json'), JSON.stringify({ fastcgi: ['./f.sock'] }))
    const read = await runTsgi(['request', '/status/404', '--config', 'tsgi.config.json'], { cwd: folder })
    expect(read).toMatchObject({ code: 4, stderr: '' })
  })
})

describe('tsgi request says what is wrong', () => {
  const failure = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await runTsgi(['request', ...args], { cwd: tempDir() })
    expect(stdout).toBe('')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    return { code, stderr }
  }

  test('where there is no socket, or nobody listens', async () => {
    expect(await failure('--uwsgi', './none.sock', '/')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/none\.sock: there is no such socket: is tsgi running, .* \(ENOENT\)/),
    })
    const left = join(tempDir(), 'left.sock')
    await leaveBehind(left)
    expect(await failure('--scgi', left, '/')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nobody listens there'),
    })
  })

  test('where another protocol is spoken', async () => {
    const chatter = join(tempDir(), 'chatter.sock')
    const server = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('220 mail.example ready\r\n\r\n'),
    )
    server.listen(chatter)
    await once(server, 'listening')
    stopAfterTests(() => closed(server))
    for (const [protocol, words] of [
      ['uwsgi', 'does not speak uwsgi'],
      ['fastcgi', 'closed before END_REQUEST; does it speak fastcgi there?'],
      ['http', 'does not speak HTTP'],
    ] as const) {
      expect(await failure(`--${protocol}`, chatter, '/')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(words),
      })
    }
  })

  test.each([
    [['/'], 'where is the socket?'],
    [['--uwsgi', 'app', '/'], 'is no address'],
    [['--uwsgi', './a.sock', '--scgi', './b.sock', '/'], 'one address at a time'],
    [['--uwsgi', './a.sock', 'ftp://x/'], 'is no URL'],
    [['--uwsgi', './a.sock', '/', '/b'], '/b is too much'],
    [['--uwsgi', './a.sock', '/', '-H', 'no colon'], "write 'Name: value'"],
    [['--uwsgi', './a.sock', '/', '--param', 'x'], 'write NAME=VALUE'],
    [['--http', './a.sock', '/', '--param', 'A=b'], 'HTTP has no variables'],
    [['--uwsgi', './a.sock', '/', '-d', '@none'], 'ENOENT'],
    [['--uwsgi', './a.sock', '/', '--repeat', '0'], '--repeat'],
    [['--uwsgi', './a.sock', '/', '--timeout', 'soon'], '--timeout: expected a duration'],
    [['--uwsgi', './a.sock', '/', '-X', 'GE T'], 'is no method'],
    [['--uwsgi', './a.sock', '/', '--tiemout', '3'], 'there is no such option'],
    [['--uwsgi', './a.sock', '/', '-d', '@', '-H', `X: ${'y'.repeat(70_000)}`], ''],
  ])('a mistake in the command: %#', async (args, words) => {
    const { code, stderr } = await failure(...args)
    expect(code).toBe(2)
    expect(stderr).toContain(words)
  })
})

async function textOf(child: ChildProcess): Promise<string> {
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(child, 'close')
  return Buffer.concat(chunks).toString()
}

/** A socket file whose server died without removing it. */
async function leaveBehind(path: string): Promise<void> {
  const child = spawn(process.execPath, [
    '-e',
    'require("net").createServer().listen(process.argv[1], () => console.log(1))',
    path,
  ])
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function closed(server: Server): Promise<unknown> {
  server.close()
  return once(server, 'close')
}
