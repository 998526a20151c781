import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { own } from '../../src/master/socket-file.ts'
import { type SocketOptions, Sockets } from '../../src/master/sockets.ts'
import { tempDir } from '../support/temp-dir.ts'

const isRoot = process.getuid?.() === 0

function options(changes: Partial<SocketOptions>): SocketOptions {
  const none = { uwsgi: [], fastcgi: [], scgi: [], http: [], socket: [] }
  return { ...none, socketMode: 0o660, socketOwner: undefined, socketGroup: undefined, ...changes }
}

function open(): Sockets {
  const sockets = new Sockets(undefined, [])
  onTestFinished(() => sockets.keepOnly([]))
  return sockets
}

async function served(path: string | number): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) =>
    typeof path === 'string' ? server.listen(path, resolve) : server.listen(path, '127.0.0.1', resolve),
  )
  onTestFinished(() => void server.close())
  return server
}

function codeOf(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path, () => resolve('connected'))
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
  })
}

describe('a Unix socket', () => {
  test('has the mode asked for, is listed for the workers, and goes with the master', async () => {
    const path = join(tempDir(), 'app.sock')
    const sockets = open()
    const listeners = await sockets.bind(options({ uwsgi: [`unix:${path}`], socketMode: 0o640 }))
    expect(listeners.map(({ info }) => info)).toEqual([
      { protocol: 'uwsgi', address: `unix:${path}`, transport: 'unix' },
    ])
    expect(statSync(path).mode & 0o777).toBe(0o640)
    sockets.keepOnly([])
    expect(existsSync(path)).toBe(false)
  })

  test.runIf(isRoot)('belongs to the owner and the group asked for', async () => {
    const path = join(tempDir(), 'app.sock')
    await open().bind(options({ uwsgi: [path], socketOwner: '65534', socketGroup: '12345' }))
    expect(statSync(path)).toMatchObject({ uid: 65_534, gid: 12_345 })
  })

  test.runIf(isRoot)("belongs to the workers' user where no owner is named", async () => {
    const path = join(tempDir(), 'app.sock')
    const identity = { uid: 65_534, gid: 12_345, groups: [12_345], name: undefined, home: undefined }
    const sockets = new Sockets(identity, [])
    await sockets.bind(options({ uwsgi: [path] }))
    expect(statSync(path)).toMatchObject({ uid: 65_534, gid: 12_345 })
    sockets.keepOnly([])
  })

  test('of an unknown owner is refused and leaves no file', async () => {
    const path = join(tempDir(), 'app.sock')
    await expect(open().bind(options({ uwsgi: [path], socketOwner: 'no-such-user' }))).rejects.toThrow(
      'no user no-such-user',
    )
    expect(existsSync(path)).toBe(false)
  })

  test('left behind by a dead process is replaced', async () => {
    const path = join(tempDir(), 'app.sock')
    const left = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    const { spawnSync } = await import('node:child_process')
    spawnSync(process.execPath, ['-e', left])
    expect(await codeOf(path)).toBe('ECONNREFUSED')
    await open().bind(options({ uwsgi: [path] }))
    expect(statSync(path).isSocket()).toBe(true)
  })

  test('that another process serves is refused and left alone', async () => {
    const path = join(tempDir(), 'app.sock')
    await served(path)
    await expect(open().bind(options({ uwsgi: [path] }))).rejects.toMatchObject({
      code: 'TSGI_BIND',
      message: expect.stringContaining('another process is serving it'),
    })
    expect(await codeOf(path)).toBe('connected')
  })

  test('that another master has bound, while its workers still load, is refused too', async () => {
    const path = join(tempDir(), 'app.sock')
    await open().bind(options({ uwsgi: [path] }))
    expect(await codeOf(path)).toBe('ECONNREFUSED')
    await expect(open().bind(options({ uwsgi: [path] }))).rejects.toThrow('another process is serving it')
  })

  test('is bound once, whatever links lead there', async () => {
    const folder = tempDir()
    const link = join(tempDir(), 'run')
    symlinkSync(folder, link)
    const paths = [join(folder, 'app.sock'), join(link, 'app.sock')]
    await expect(open().bind(options({ uwsgi: paths }))).rejects.toMatchObject({
      code: 'TSGI_BIND',
      message: expect.stringContaining(`bound already as ${paths[0]}`),
    })
  })

  test('never takes the place of a file that is no socket', async () => {
    const path = join(tempDir(), 'app.sock')
    writeFileSync(path, 'precious')
    await expect(open().bind(options({ uwsgi: [path] }))).rejects.toThrow('no socket is there')
    expect(readFileSync(path, 'utf8')).toBe('precious')
    mkdirSync(`${path}.d`)
    await expect(open().bind(options({ uwsgi: [`${path}.d`] }))).rejects.toThrow('no socket is there')
  })

  test('whose place a link took leaves what that leads to as it is', () => {
    const directory = tempDir()
    const [path, other] = [join(directory, 'app.sock'), join(directory, 'other')]
    writeFileSync(other, 'precious', { mode: 0o600 })
    symlinkSync(other, path)
    expect(() => own(path, { mode: 0o666, uid: undefined, gid: undefined })).toThrow('has taken its place')
    expect(statSync(other).mode & 0o777).toBe(0o600)
  })

  test('is not removed where another file has taken its place', async () => {
    const { renameSync } = await import('node:fs')
    const path = join(tempDir(), 'app.sock')
    const sockets = open()
    await sockets.bind(options({ uwsgi: [path] }))
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(`${path}.new`, resolve))
    renameSync(`${path}.new`, path)
    sockets.keepOnly([])
    expect(await codeOf(path)).toBe('connected')
    other.close()
  })

  test('that is withdrawn is found by nobody, stays open for what is queued, and goes in the end', async () => {
    const path = join(tempDir(), 'app.sock')
    const sockets = open()
    const [listener] = await sockets.bind(options({ uwsgi: [path] }))
    sockets.withdraw()
    expect(existsSync(path)).toBe(false)
    expect(sockets.unreachable).toEqual([])
    expect(listener?.handle.fd).toBeGreaterThan(0)
    sockets.keepOnly([])
    expect(listener?.handle.fd).toBeLessThan(0)
  })

  test('that was withdrawn leaves the next one at its path alone', async () => {
    const path = join(tempDir(), 'app.sock')
    const sockets = open()
    await sockets.bind(options({ uwsgi: [path] }))
    sockets.withdraw()
    await served(path)
    sockets.withdraw()
    sockets.keepOnly([])
    expect(await codeOf(path)).toBe('connected')
  })

  test.each([
    ['in a folder that does not exist', (folder: string) => join(folder, 'none', 'app.sock'), 'does not exist'],
    ['whose path is too long', (folder: string) => join(folder, 'x'.repeat(108)), 'bytes'],
  ])('%s is refused with the reason', async (_name, path, reason) => {
    await expect(open().bind(options({ uwsgi: [path(tempDir())] }))).rejects.toMatchObject({
      code: 'TSGI_BIND',
      message: expect.stringContaining(reason),
    })
  })
})

describe('a TCP socket', () => {
  test('says the port it got', async () => {
    const [listener] = await open().bind(options({ fastcgi: ['127.0.0.1:0'] }))
    expect(listener?.info).toMatchObject({ protocol: 'fastcgi', transport: 'tcp' })
    expect(listener?.info.address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/)
  })

  test('is bound over IPv6, and over both families without a host', async () => {
    const [six, all] = await open().bind(options({ uwsgi: ['[::1]:0'], http: [':0'] }))
    expect(six?.info.address).toMatch(/^\[::1\]:[1-9]\d+$/)
    expect(all?.info.address).toMatch(/^:[1-9]\d+$/)
  })

  test('by name is bound', async () => {
    const [listener] = await open().bind(options({ uwsgi: ['localhost:0'] }))
    expect(listener?.info.address).toMatch(/^localhost:[1-9]\d+$/)
  })

  test('whose port is taken is refused with the reason', async () => {
    const server = await served(0)
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    await expect(open().bind(options({ uwsgi: [`127.0.0.1:${port}`] }))).rejects.toMatchObject({
      code: 'TSGI_BIND',
      message: expect.stringMatching(/EADDRINUSE.*another process/),
    })
  })

  test('on an address that this machine does not have is refused with the reason', async () => {
    await expect(open().bind(options({ uwsgi: ['192.0.2.1:9000'] }))).rejects.toThrow(/EADDRNOTAVAIL/)
  })
})

describe('several sockets', () => {
  test('are all let go when one fails, save those that were there before', async () => {
    const folder = tempDir()
    const sockets = open()
    const [first] = await sockets.bind(options({ uwsgi: [join(folder, 'a.sock')] }))
    const all = options({
      uwsgi: [join(folder, 'a.sock'), join(folder, 'b.sock')],
      scgi: [join(folder, 'none', 'c.sock')],
    })
    await expect(sockets.bind(all)).rejects.toThrow('does not exist')
    expect(existsSync(join(folder, 'a.sock'))).toBe(true)
    expect(existsSync(join(folder, 'b.sock'))).toBe(false)
    const [again] = await sockets.bind(options({ uwsgi: [join(folder, 'a.sock')] }))
    expect(again?.handle).toBe(first?.handle)
  })

  test('cannot share an address', async () => {
    const path = join(tempDir(), 'a.sock')
    await expect(open().bind(options({ uwsgi: [path], scgi: [path] }))).rejects.toThrow('listed twice')
  })
})

describe('an inherited descriptor', () => {
  test('that is a connection or a file is refused', async () => {
    const path = join(tempDir(), 'app.sock')
    await served(path)
    const client = connect(path)
    await once(client, 'connect')
    const file = openSync(join(tempDir(), 'file'), 'w')
    onTestFinished(() => {
      client.destroy()
      closeSync(file)
    })
    const connected: unknown = Reflect.get(Reflect.get(client, '_handle') ?? {}, 'fd')
    for (const fd of [connected, file]) {
      await expect(open().bind(options({ uwsgi: [`fd:${fd}`] }))).rejects.toMatchObject({
        code: 'TSGI_BIND',
        message: `fd:${fd} is no listening socket that this process was started with`,
      })
    }
  })

  test.each(['fd:77', 'fd:0'])('%s that is no socket is refused', async (address) => {
    await expect(open().bind(options({ uwsgi: [address] }))).rejects.toMatchObject({ code: 'TSGI_BIND' })
  })
})
