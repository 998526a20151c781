/** TLS on the way from the front server to tsgi. */

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { beforeAll, expect, test } from 'vitest'
import { askOver, closed, encodeAsk, type GatewayAsk, readResponse } from '../support/ask-over.ts'
import { type Authority, type Identity, makeAuthority } from '../support/certificates.ts'
import { httpRequest, openHttp } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { commandPath, describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { isAlive } from '../support/proc.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'

const app = join(import.meta.dirname, 'apps', 'wire.ts')
const PROTOCOLS = ['uwsgi', 'fastcgi', 'scgi'] as const

const tlsArgs = ({ certificate, key }: Identity): string[] => ['--tls-cert', certificate, '--tls-key', key]

interface Served {
  readonly tsgi: Tsgi
  readonly ports: Readonly<Record<(typeof PROTOCOLS)[number] | 'http' | 'socket', number>>
  readonly authority: Authority
  /** A connection whose certificate was checked. */
  readonly open: (port: number, options?: ConnectionOptions) => Promise<TLSSocket>
}

/** One listener for each protocol, and one for all. */
async function served(args: readonly string[] = [], workers = 1): Promise<Served> {
  const authority = makeAuthority()
  const ports = {
    uwsgi: await freePort(),
    fastcgi: await freePort(),
    scgi: await freePort(),
    http: await freePort(),
    socket: await freePort(),
  }
  const listeners = Object.entries(ports).flatMap(([protocol, port]) => [`--${protocol}`, `127.0.0.1:${port}`])
  const tls = args.includes('--tls-cert') ? [] : tlsArgs(authority.sign('tsgi.internal'))
  const tsgi = await startTsgi({ app, args: ['--workers', String(workers), ...listeners, ...tls, ...args] })
  const open = async (port: number, options: ConnectionOptions = {}): Promise<TLSSocket> => {
    const ca = readFileSync(authority.file)
    const socket = connect({ port, host: '127.0.0.1', servername: 'tsgi.internal', ca, ...options })
    await once(socket, 'secureConnect')
    return socket
  }
  return { tsgi, ports, authority, open }
}

/** Without checking the certificate. */
async function openUnchecked(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return socket
}

/** Which certificate is shown. */
async function fingerprintAt(port: number): Promise<string> {
  const socket = await openUnchecked(port)
  const { fingerprint256 } = socket.getPeerCertificate()
  // Not before our half of the handshake is out.
  socket.end()
  return fingerprint256
}

describeWith(['openssl'], 'over TLS', () => {
  let shared: Served
  beforeAll(async () => {
    shared = await served()
  })

  test('every protocol is served, bodies and all, on its own listener and on one for all', async () => {
    const { ports, open } = shared
    const body = Buffer.alloc(300_000, 'x')
    for (const protocol of PROTOCOLS) {
      for (const port of [ports[protocol], ports.socket]) {
        const answer = await askOver(await open(port), { protocol, path: '/sum', body })
        expect(answer, `${protocol} at ${port}`).toMatchObject({ status: 200, endedCleanly: true })
        expect(JSON.parse(String(answer.body)).bytes).toBe(300_000)
        const download = await askOver(await open(port), { protocol, path: '/download?bytes=3000000' })
        expect(download).toMatchObject({ status: 200, endedCleanly: true })
        expect(download.body).toHaveLength(3_000_000)
      }
    }
    for (const port of [ports.http, ports.socket]) {
      const connection = await openHttp({ port, tls: true })
      const environ = JSON.parse((await connection.request({ path: '/environ' })).text)
      expect(environ).toMatchObject({ HTTPS: 'on', REQUEST_SCHEME: 'https', REMOTE_ADDR: '127.0.0.1' })
      expect((await connection.request({ method: 'POST', path: '/sum', body })).text).toContain('300000')
      connection.destroy()
    }
  })

  test('a request is the same however its bytes are cut', async () => {
    const { ports, open } = shared
    for (const protocol of PROTOCOLS) {
      const ask: GatewayAsk = { protocol, path: '/sum', body: Buffer.from('body') }
      const socket = await open(ports.socket)
      socket.setNoDelay(true)
      const answer = readResponse(socket, ask)
      for (const byte of encodeAsk(ask)) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve))
      expect(JSON.parse(String((await answer).body)).bytes).toBe(4)
    }
  })

  test('a response that breaks off is seen to, with a length and without', async () => {
    const { ports, open } = shared
    for (const protocol of PROTOCOLS) {
      for (const path of ['/break', '/break?length=1']) {
        const answer = await askOver(await open(ports[protocol]), { protocol, path })
        expect(answer.endedCleanly, `${protocol} ${path}`).toBe(false)
      }
    }
    for (const path of ['/break', '/break?length=1']) {
      expect((await httpRequest({ port: ports.http, tls: true }, { path })).complete).toBe(false)
    }
  })

  test('an application learns that the client left', async () => {
    const { tsgi, ports, open } = shared
    for (const protocol of PROTOCOLS) {
      const fromLine = tsgi.process.lines.length
      const socket = await open(ports[protocol])
      socket.write(encodeAsk({ protocol, path: '/wait' }))
      await tsgi.waitForLog(/waiting/, { fromLine })
      socket.destroy()
      await tsgi.waitForLog(/gone: ClientDisconnected/, { fromLine })
    }
  })

  test('a session that began with one worker is resumed with another', async () => {
    const { tsgi, ports, open } = await served([], 2)
    const first = await open(ports.http)
    const received: Promise<Buffer[]> = once(first, 'session')
    first.write('GET /pid HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const [session] = await received
    first.destroy()
    const pids = new Set<string>()
    await until('both workers have answered', async () => {
      const socket = await open(ports.uwsgi, session === undefined ? {} : { session })
      expect(socket.isSessionReused()).toBe(true)
      pids.add(String((await askOver(socket, { protocol: 'uwsgi', path: '/pid' })).body))
      return pids.size === 2
    })
    await tsgi.stop()
  })

  test('what is no TLS is answered in its own protocol, and the log names the mistake and the remedy', async () => {
    const { tsgi, ports, open } = shared
    const fromLine = tsgi.process.lines.length
    const browser = await openHttp({ port: ports.http })
    expect((await browser.request({ path: '/' })).status).toBe(400)
    browser.destroy()
    await tsgi.waitForLog(/HTTP came without TLS: .*speaks http inside TLS \(--tls-cert\): use https:/, { fromLine })
    for (const protocol of PROTOCOLS) {
      const socket = connectTcp(ports[protocol], '127.0.0.1')
      expect((await askOver(socket, { protocol, path: '/pid' })).status).toBe(502)
      await tsgi.waitForLog(new RegExp(`:${ports[protocol]}".*${protocol} came without TLS: nginx uses`, 'i'), {
        fromLine,
      })
    }
    await tsgi.waitForLog(/uwsgi inside TLS \(--tls-cert\): use uwsgi_pass suwsgi:/, { fromLine })
    // A port scan, a balancer's check: nothing to say.
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const scan = connectTcp(ports.socket, '127.0.0.1')
      await once(scan, 'connect')
      scan[leave]()
    }
    expect((await askOver(await open(ports.socket), { protocol: 'scgi', path: '/pid' })).status).toBe(200)
    expect(tsgi.process.lines.slice(fromLine).filter((line) => line.includes(`127.0.0.1:${ports.socket}`))).toEqual([])
  })

  test('a client that asks for handshake after handshake is closed, whatever it speaks', async () => {
    const { ports, open } = shared
    for (const port of Object.values(ports)) {
      const socket = await open(port, { maxVersion: 'TLSv1.2' })
      const end = closed(socket)
      const renegotiate = (): void => {
        socket.renegotiate({}, (error) => {
          if (error === null && !socket.destroyed) renegotiate()
        })
      }
      renegotiate()
      await end
    }
  })

  test('a handshake that goes wrong is told in a few words', async () => {
    const { tsgi, ports } = shared
    const fromLine = tsgi.process.lines.length
    const socket = connectTcp(ports.uwsgi, '127.0.0.1').resume()
    socket.write(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]))
    await closed(socket)
    await tsgi.waitForLog(/"msg":"a TLS handshake on [0-9.:]+ failed: [a-z ]+"/, { fromLine })
  })

  test('a handshake that takes too long is given up', async () => {
    const { tsgi, ports } = await served(['--read-timeout', '1'])
    const socket = connectTcp(ports.uwsgi, '127.0.0.1')
    await closed(socket.resume())
    await tsgi.stop()
  })
})

describeWith(['openssl'], 'with --tls-client-ca', () => {
  test('peers with a certificate from there are served; the log says what the others lack', async () => {
    const clients = makeAuthority()
    const { tsgi, ports, open } = await served(['--tls-client-ca', clients.file])
    const proof = ({ certificate, key }: Identity) => ({ cert: readFileSync(certificate), key: readFileSync(key) })
    const ask = { protocol: 'fastcgi', path: '/pid' } as const
    const known = await open(ports.fastcgi, proof(clients.sign('front')))
    expect((await askOver(known, ask)).status).toBe(200)

    const fromLine = tsgi.process.lines.length
    await expect(open(ports.fastcgi).then((socket) => askOver(socket, ask))).rejects.toThrow()
    await tsgi.waitForLog(/showed no certificate, and --tls-client-ca asks for one/, { fromLine })
    const stranger = proof(makeAuthority().sign('front'))
    await expect(open(ports.fastcgi, stranger).then((socket) => askOver(socket, ask))).rejects.toThrow()
    await tsgi.waitForLog(/certificate of the peer is not one of --tls-client-ca/, { fromLine })
    expect(tsgi.records().some(({ msg }) => String(msg).includes('in flight'))).toBe(false)
    await tsgi.stop()
  })
})

describeWith(['openssl'], 'the files of --tls-cert and --tls-key', () => {
  test('that are missing, no PEM, or of two different certificates end tsgi with 2 and one line', async () => {
    const authority = makeAuthority()
    const [one, other] = [authority.sign('one'), authority.sign('other')]
    const folder = tempDir()
    const nonsense = join(folder, 'nonsense.pem')
    writeFileSync(nonsense, 'not a certificate')
    const damaged = join(folder, 'damaged.pem')
    writeFileSync(damaged, readFileSync(one.certificate, 'utf8').replace(/[A-Za-z0-9+/]{20}/, ''))
    const sealed = join(folder, 'sealed.key')
    const encrypt = ['pkey', '-in', one.key, '-aes256', '-passout', 'pass:secret', '-out', sealed]
    execFileSync(commandPath('openssl'), encrypt)
    const cases: [string[], RegExp][] = [
      [tlsArgs({ ...one, key: '/nowhere/tls.key' }), /--tls-key: \/nowhere\/tls\.key cannot be read: ENOENT/],
      [tlsArgs({ ...one, certificate: nonsense }), /--tls-cert: .*nonsense\.pem is no PEM file/],
      [tlsArgs({ ...one, certificate: damaged }), /TLS cannot be set up from .*damaged\.pem/],
      [tlsArgs({ ...one, key: other.key }), /other\.key is not the key of .*one\.pem/],
      [tlsArgs({ ...one, key: sealed }), /--tls-key: .*sealed\.key is encrypted/],
      [['--tls-key', one.key], /--tls-key: needs --tls-cert/],
      [['--tls-cert', one.certificate], /--tls-cert: needs --tls-key/],
    ]
    for (const [args, line] of cases) {
      const tsgi = await startTsgi({
        app,
        args: ['--uwsgi', `127.0.0.1:${await freePort()}`, ...args],
        waitUntilReady: false,
      })
      expect(await tsgi.process.exited).toEqual({ code: 2, signal: null })
      const said = tsgi.process.lines.filter((text) => text !== '')
      expect(said).toHaveLength(1)
      expect(said[0]).toMatch(line)
    }
  })

  test('are read again on SIGHUP: new connections see the new certificate, and nothing is lost', async () => {
    const authority = makeAuthority()
    const [before, after] = [authority.sign('before'), authority.sign('after')]
    const folder = tempDir()
    const current = { certificate: join(folder, 'tls.pem'), key: join(folder, 'tls.key') }
    const install = ({ certificate, key }: Identity): void => {
      copyFileSync(certificate, current.certificate)
      copyFileSync(key, current.key)
    }
    install(before)
    const { tsgi, ports } = await served(tlsArgs(current), 2)
    const old = await fingerprintAt(ports.uwsgi)
    let running = true
    let answered = 0
    const client = async (): Promise<void> => {
      while (running) {
        const body = Buffer.alloc(1000)
        const answer = await askOver(await openUnchecked(ports.uwsgi), { protocol: 'uwsgi', path: '/sum', body })
        expect(answer).toMatchObject({ status: 200, endedCleanly: true })
        answered += 1
      }
    }
    const clients = [client(), client()]
    for (let reload = 2; reload <= 4; reload += 1) {
      install(reload % 2 === 0 ? after : before)
      tsgi.signal('SIGHUP')
      await tsgi.waitForLog(new RegExp(`reloaded: generation ${reload}`))
    }
    running = false
    await Promise.all(clients)
    expect(answered).toBeGreaterThan(0)
    expect(await fingerprintAt(ports.uwsgi)).not.toBe(old)
    await tsgi.stop()
  })

  test('that went bad fail the reload: the old certificate stays, also in a worker that is replaced later', async () => {
    const authority = makeAuthority()
    const [good, other] = [authority.sign('good'), authority.sign('other')]
    const folder = tempDir()
    const current = { certificate: join(folder, 'tls.pem'), key: join(folder, 'tls.key') }
    copyFileSync(good.certificate, current.certificate)
    copyFileSync(good.key, current.key)
    const application = join(folder, 'app.mjs')
    const working = `export const application = (environ, start) => (start('200 OK', []), [Buffer.from(String(process.pid))])`
    writeFileSync(application, working)
    const port = await freePort()
    const args = ['--uwsgi', `127.0.0.1:${port}`, '--workers', '1', ...tlsArgs(current)]
    const tsgi = await startTsgi({ app: application, args })
    const fingerprint = await fingerprintAt(port)

    copyFileSync(other.key, current.key)
    tsgi.signal('SIGHUP')
    await tsgi.waitForLog(/the reload failed, generation 1 goes on: .*tls\.key.*is not the key of/)
    expect(await fingerprintAt(port)).toBe(fingerprint)

    // The certificate is fine now, the application is not: the generation that goes on keeps the certificate it came up with.
    copyFileSync(other.certificate, current.certificate)
    writeFileSync(application, 'throw new Error("half deployed")')
    tsgi.signal('SIGHUP')
    await tsgi.waitForLog(/the reload failed, generation 1 goes on: .*half deployed/)
    await tsgi.waitForLog(/worker 1 .* left/)
    writeFileSync(application, working)
    const pid = await onlyWorker(tsgi)
    process.kill(pid, 'SIGKILL')
    await until('it is dead', () => !isAlive(pid))
    expect(await fingerprintAt(port)).toBe(fingerprint)
    expect((await askOver(await openUnchecked(port), { protocol: 'uwsgi', path: '/' })).status).toBe(200)
    await tsgi.stop()
  })
})

describeWith(['openssl'], 'a worker that drains', () => {
  test('waits for nobody who connected and left without a word', async () => {
    const { tsgi, ports } = await served(['--graceful-timeout', '600'])
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const check = connectTcp(ports.uwsgi, '127.0.0.1')
      await once(check, 'connect')
      check[leave]()
    }
    const probe = await openUnchecked(ports.uwsgi)
    await askOver(probe, { protocol: 'uwsgi', path: '/pid' })
    tsgi.signal('SIGTERM')
    await tsgi.process.exited
    expect(tsgi.records().some(({ msg }) => String(msg).includes('not done within'))).toBe(false)
  })

  test('waits for nobody who connected and says nothing', async () => {
    const { tsgi, ports } = await served(['--graceful-timeout', '600', '--read-timeout', '600'])
    const silent = connectTcp(ports.uwsgi, '127.0.0.1')
    await once(silent, 'connect')
    const probe = await openUnchecked(ports.uwsgi)
    await askOver(probe, { protocol: 'uwsgi', path: '/pid' })
    tsgi.signal('SIGTERM')
    await tsgi.process.exited
    expect(tsgi.records().some(({ msg }) => String(msg).includes('not done within'))).toBe(false)
    silent.destroy()
  })

  test('waits for nobody who left in the middle of a handshake', async () => {
    const { tsgi, ports } = await served(['--graceful-timeout', '600'])
    for (let count = 0; count < 20; count++) {
      const tcp = connectTcp(ports.uwsgi, '127.0.0.1')
      await once(tcp, 'connect')
      // The hello is out, and its answer is not read any more.
      connect({ socket: tcp, rejectUnauthorized: false }).on('error', () => undefined)
      await new Promise(setImmediate)
      tcp.end()
      await once(tcp.resume(), 'close')
    }
    const probe = await openUnchecked(ports.uwsgi)
    await askOver(probe, { protocol: 'uwsgi', path: '/pid' })
    tsgi.signal('SIGTERM')
    await tsgi.process.exited
    expect(tsgi.records().some(({ msg }) => String(msg).includes('not done within'))).toBe(false)
  })

  test('waits for a handshake that has begun, and serves its request', async () => {
    const { tsgi, ports } = await served()
    const pid = await onlyWorker(tsgi)
    // The handshake stands still: the connection is the old worker's, which has seen the beginning of a hello.
    const tcp = connectTcp(ports.uwsgi, '127.0.0.1')
    let goOn = (): void => undefined
    const word = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const socket = connect({ socket: halting(tcp, word), rejectUnauthorized: false })
    await until('the beginning is out', () => tcp.bytesWritten > 0 && !tcp.connecting && tcp.writableLength === 0)
    // Served after it was accepted, as both are in one queue.
    const probe = connect({ port: ports.uwsgi, host: '127.0.0.1', rejectUnauthorized: false })
    await askOver(probe, { protocol: 'uwsgi', path: '/pid' })
    tsgi.signal('SIGHUP')
    await tsgi.waitForLog(/reloaded: generation 2/)
    expect(isAlive(pid)).toBe(true)
    goOn()
    const answer = await askOver(socket, { protocol: 'uwsgi', path: '/pid' })
    expect(String(answer.body)).toBe(String(pid))
    await until('the old worker has left', () => !isAlive(pid))
    await tsgi.stop()
  })
})

/** Of each write five bytes, the head of a TLS record, go through at once and the rest at the word. */
function halting(tcp: Socket, word: Promise<void>): Duplex {
  const halted = new Duplex({
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => {
      tcp.write(bytes.subarray(0, 5))
      void word.then(() => tcp.write(bytes.subarray(5), done))
    },
  })
  tcp.on('data', (bytes) => halted.push(bytes)).on('close', () => halted.destroy())
  return halted
}

describeWith(['nginx', 'openssl'], 'nginx with suwsgi://', () => {
  test('uploads, downloads and breaks as over a plain socket, and loses no request to a renewed certificate', async () => {
    const clients = makeAuthority()
    const { tsgi, ports, authority } = await served(['--tls-client-ca', clients.file], 2)
    const client = clients.sign('nginx')
    const substitutions = {
      '127.0.0.1:9443': `127.0.0.1:${ports.socket}`,
      '/etc/ssl/tsgi/ca.pem': authority.file,
      '/etc/ssl/tsgi/nginx.pem': client.certificate,
      '/etc/ssl/tsgi/nginx.key': client.key,
    }
    const nginx = await startNginx({ sites: [{ file: 'tls.conf', substitutions }] })
    const body = Buffer.alloc(3_000_000, 'x')
    const upload = await httpRequest(nginx, { method: 'POST', path: '/sum', body })
    expect(JSON.parse(upload.text).bytes).toBe(3_000_000)
    const download = await httpRequest(nginx, { path: '/download?bytes=5000000' })
    expect(download).toMatchObject({ bodyBytes: 5_000_000, complete: true })
    for (let round = 0; round < 20; round += 1) {
      const early = await httpRequest(nginx, { method: 'POST', path: '/ignore-body', body })
      expect(early).toMatchObject({ status: 200, text: 'not read' })
    }
    for (const path of ['/break', '/break?length=1']) expect((await httpRequest(nginx, { path })).complete).toBe(false)

    let running = true
    const post = async (): Promise<void> => {
      while (running) {
        expect((await httpRequest(nginx, { method: 'POST', path: '/sum', body: 'x' })).status).toBe(200)
      }
    }
    const posts = [post(), post()]
    for (let generation = 2; generation <= 4; generation += 1) {
      tsgi.signal('SIGHUP')
      await tsgi.waitForLog(new RegExp(`reloaded: generation ${generation}`))
    }
    running = false
    await Promise.all(posts)
    await nginx.stop()
    await tsgi.stop()
  })
})
