import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { findCommand } from '../../scripts/peers.mjs'
import { startApache } from '../support/apache.ts'
import { setup } from '../support/build-setup.ts'
import { makeAuthority } from '../support/certificates.ts'
import { startNginx } from '../support/nginx.ts'
import { freePort } from '../support/ports.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

const HELLO = `export const application = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode('from tsgi')]
}`

const TLS = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem']

type Printed = { readonly text: string; readonly file: string; readonly folder: string }

async function printed(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Printed> {
  const folder = join(tempDir('tsgi-init-'), 'my shop')
  mkdirSync(join(folder, 'public', 'static'), { recursive: true })
  writeFileSync(join(folder, 'public', 'hello.txt'), 'from the front server')
  writeFileSync(join(folder, 'public', 'static', 'hello.txt'), 'from the front server')
  mkdirSync(join(folder, 'inner'))
  writeFileSync(join(folder, 'inner', 'app.mjs'), HELLO)
  writeFileSync(join(folder, 'prod.json'), '{ "uwsgi": "./app.sock" }')
  const { code, stdout, stderr } = await runTsgi(['init', ...args], { cwd: folder, env })
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const file = join(folder, '..', 'site.conf')
  writeFileSync(file, stdout)
  return { text: stdout, file, folder }
}

describe.skipIf(findCommand('nginx') === undefined)('the site for nginx', () => {
  test.each([
    ['uwsgi', '/run/shop/app.sock', 'uwsgi_pass', 'server unix:/run/shop/app.sock;'],
    ['fastcgi', '[::1]:9000', 'fastcgi_pass', 'server [::1]:9000;'],
    ['scgi', ':9000', 'scgi_pass', 'server 127.0.0.1:9000;'],
    ['socket', '/run/shop/app.sock', 'uwsgi_pass', 'server unix:/run/shop/app.sock;'],
  ])('for --%s is one that nginx takes', async (flag, address, directive, server) => {
    const { text, file, folder } = await printed(['nginx', 'app.ts', `--${flag}`, address, '--max-body', '20m'])
    expect(text).toMatch(new RegExp(`^ +${directive} my_shop;`, 'm'))
    expect(text).toContain(server)
    expect(text).toContain('client_max_body_size 20m;')
    expect(text.replaceAll("'", '')).toContain(`tsgi serve app.ts --${flag} ${address}`)
    expect(text).toContain(`root "${join(folder, 'public')}";`)
    const nginx = await startNginx({ sites: [{ file }] })
    expect(await (await fetch(`${nginx.url}/hello.txt`)).text()).toBe('from the front server')
    await nginx.stop()
  })

  test('names every address, and waits longer than tsgi does', async () => {
    const { text } = await printed(['nginx', '--uwsgi', ':9001', '--uwsgi', ':9002', '--request-timeout', '2m'])
    expect(text).toMatch(/server 127.0.0.1:9001;\n +server 127.0.0.1:9002;/)
    expect(text).toContain('uwsgi_read_timeout 125s;')
  })

  test('has no limit where tsgi has none', async () => {
    expect((await printed(['nginx', '--max-body', '0'])).text).toContain('client_max_body_size 0;')
  })

  test('finds its files where --files says', async () => {
    expect((await printed(['nginx', '--files', '/etc/nginx/tsgi'])).text).toContain(
      'include /etc/nginx/tsgi/uwsgi_params;',
    )
  })

  test('reaches a socket whose path has a blank in it, and names the command as one types it', async () => {
    const path = join(tempDir('tsgi init '), 'app.sock')
    const { text, file, folder } = await printed(['nginx', 'app.mjs', '--uwsgi', path, '--max-body', '20m'])
    expect(text).toContain(`# ${' '.repeat(4)}tsgi serve app.mjs --uwsgi '${path}' --max-body 20m\n`)
    const tsgi = await startTsgi({ app: 'inner/app.mjs', args: ['--uwsgi', path, '--workers', '1'], cwd: folder })
    const nginx = await startNginx({ sites: [{ file }] })
    expect(await (await fetch(`${nginx.url}/`)).text()).toBe('from tsgi')
    await Promise.all([nginx.stop(), tsgi.stop()])
  })

  test.skipIf(findCommand('openssl') === undefined)(
    'reaches a tsgi that speaks TLS, each proven to the other',
    async () => {
      const [servers, clients] = [makeAuthority(), makeAuthority()]
      const [server, client] = [servers.sign('tsgi.internal'), clients.sign('nginx')]
      const address = `127.0.0.1:${await freePort()}`
      const tls = ['--tls-cert', server.certificate, '--tls-key', server.key, '--tls-client-ca', clients.file]
      const { text, file, folder } = await printed(['nginx', 'app.mjs', '--uwsgi', address, ...tls])
      expect(text).toContain(`uwsgi_ssl_trusted_certificate ${server.certificate};`)
      const substitutions = {
        [`trusted_certificate ${server.certificate};`]: `trusted_certificate ${servers.file};`,
        '/etc/ssl/tsgi/nginx.pem': client.certificate,
        '/etc/ssl/tsgi/nginx.key': client.key,
      }
      const args = ['--uwsgi', address, ...tls, '--workers', '1']
      const tsgi = await startTsgi({ app: 'inner/app.mjs', args, cwd: folder })
      const nginx = await startNginx({ sites: [{ file, substitutions }] })
      expect(await (await fetch(`${nginx.url}/`)).text()).toBe('from tsgi')
      await Promise.all([nginx.stop(), tsgi.stop()])
    },
  )

  test.skipIf(findCommand('openssl') === undefined)('trusts a certificate that nobody else has signed', async () => {
    const certificate = makeAuthority().file
    const address = `127.0.0.1:${await freePort()}`
    const tls = ['--tls-cert', certificate, '--tls-key', join(dirname(certificate), 'ca.key')]
    const { text, file, folder } = await printed(['nginx', 'app.mjs', '--uwsgi', address, ...tls])
    expect(text).not.toMatch(/uwsgi_ssl_certificate/)
    const args = ['--uwsgi', address, ...tls, '--workers', '1']
    const tsgi = await startTsgi({ app: 'inner/app.mjs', args, cwd: folder })
    const nginx = await startNginx({ sites: [{ file, substitutions: { 'tsgi.internal': 'tests' } }] })
    expect(await (await fetch(`${nginx.url}/`)).text()).toBe('from tsgi')
    await Promise.all([nginx.stop(), tsgi.stop()])
  })

  test('has no TLS for a Unix socket', async () => {
    const { text } = await printed(['nginx', '--uwsgi', '/run/a/app.sock', '--http', ':8443', ...TLS])
    expect(text).toMatch(/^ +uwsgi_pass my_shop;$/m)
    expect(text).not.toContain('uwsgi_ssl')
  })

  test('cannot be made for a descriptor that only tsgi has', async () => {
    const { code, stderr } = await runTsgi(['init', 'nginx', '--uwsgi', 'fd:3'])
    expect(code).toBe(2)
    expect(stderr).toContain('say the address that the inherited socket is bound to')
  })
})

describe.skipIf(findCommand('apache2') === undefined)('the site for Apache', () => {
  test.each([
    ['uwsgi', '/run/shop/app.sock', '"unix:/run/shop/app.sock|uwsgi://my-shop/"'],
    ['fastcgi', '127.0.0.1:9000', '"fcgi://127.0.0.1:9000/"'],
    ['scgi', '/run/shop/app.sock', '"unix:/run/shop/app.sock|scgi://my-shop/"'],
  ])('for --%s is one that Apache takes', async (flag, address, backend) => {
    const { text, file } = await printed(['apache', 'app.ts', `--${flag}`, address])
    expect(text).toContain(`ProxyPass "/" ${backend}`)
    const apache = await startApache({ site: file })
    const response = await fetch(`${apache.url}/static/hello.txt`)
    expect(await response.text()).toBe('from the front server')
    await apache.stop()
  })
})

describe('what the front server does not speak', () => {
  test.each([
    ['nginx', ['--fastcgi', ':9000', ...TLS], '--tls-cert: nginx speaks no TLS over fastcgi_pass; '],
    ['nginx', ['--scgi', ':9000', ...TLS], '--tls-cert: nginx speaks no TLS over scgi_pass; '],
    ['nginx', ['--uwsgi', ':9000', '--uwsgi', '/run/a.sock', ...TLS], '--tls-cert: nginx speaks TLS to all addresses'],
    ['apache', ['--uwsgi', ':9000', ...TLS], '--tls-cert: Apache speaks no TLS over uwsgi://; '],
    ['apache', ['--fastcgi', ':9000', ...TLS], '--tls-cert: Apache speaks no TLS over fcgi://; '],
    ['nginx', ['--uwsgi', '/run/a.sock', '--proxy-protocol'], '--proxy-protocol: nginx sends no such header'],
    ['apache', ['--uwsgi', '/run/a.sock', '--proxy-protocol'], '--proxy-protocol: Apache sends no such header'],
    ['compose', ['--proxy-protocol'], '--proxy-protocol: nginx sends no such header'],
  ])('is refused for %s: %j', async (target, args, problem) => {
    const { code, stdout, stderr } = await runTsgi(['init', target, 'app.ts', ...args], { cwd: tempDir() })
    expect(stderr).toMatch(/^tsgi: .*\n$/)
    expect(stderr).toContain(problem)
    expect([code, stdout]).toEqual([2, ''])
  })
})

describe('the unit for systemd', () => {
  test('starts this command in this folder and gives it time to drain', async () => {
    const { text, folder } = await printed(['systemd', 'app.ts', '--env', 'A=50% $x', '--graceful-timeout', '1m'])
    expect(text).toContain(`WorkingDirectory=${folder}\n`)
    expect(text).toMatch(/^ExecStart=\S+ \S+dist\/cli\/main\.js serve app\.ts --uwsgi \/run\/my-shop\/app\.sock/m)
    expect(text).toContain('--env "A=50%% $$x"')
    expect(text).toContain('RuntimeDirectory=my-shop\n')
    expect(text).toContain('TimeoutStopSec=65\n')
    expect(text).toContain('Type=notify\nNotifyAccess=all\n')
    expect(text).toMatch(/^WatchdogSec=120\nTimeoutStartSec=90\nExecStart=/m)
    expect(text).toMatch(/^RestartSec=3\n(?:#.*\n)*RestartPreventExitStatus=2$/m)
  })

  test.each([
    ['a folder to change to', ['app.mjs', '--chdir', 'inner', '--uwsgi', './app.sock'], {}],
    ['a configuration outside of that folder', ['app.mjs', '--chdir', 'inner', '--config', 'prod.json'], {}],
    ['variables', [], { TSGI_APP: 'inner/app.mjs', TSGI_UWSGI: 'inner/app.sock', TSGI_ENV: 'A=50% $x\nB="2"' }],
  ])('starts tsgi as it would start here, with %s', async (_what, args, env) => {
    const { text, folder } = await printed(['systemd', ...args, '--workers', '1'], env)
    const [, cwd = ''] = /^WorkingDirectory=(.*)$/m.exec(text) ?? []
    const [, line = ''] = /^ExecStart=(.*)$/m.exec(text) ?? []
    const [command = '', ...words] = wordsOfUnit(line)
    const service = startServer({ name: 'the service', command, args: [...words, '--log-format', 'json'], cwd })
    await service.waitForLog(/"ready: 1 worker/)
    expect(existsSync(join(folder, 'inner', 'app.sock'))).toBe(true)
    if ('TSGI_ENV' in env) expect(words.join('|')).toContain('--env|A=50% $x|--env|B="2"')
    await service.stop()
  })

  test('reloads by the control socket, where there is one: the outcome is that of the command', async () => {
    const { text } = await printed(['systemd', 'app.ts', '--control', '/run/my-shop/control.sock'])
    expect(text).toMatch(
      /^ExecReload=\S+ \S+dist\/cli\/main\.js ctl reload --control (?:unix:)?\/run\/my-shop\/control\.sock$/m,
    )
    expect(verified(text)).toBe('')
    const without = await printed(['systemd', 'app.ts'])
    expect(without.text).toMatch(/^ExecReload=\/bin\/sh -c 'kill -HUP \$\{MAINPID\}'$/m)
  })

  test('goes through the link to a release, and tells tsgi its name', async () => {
    const home = realpathSync(tempDir('tsgi-init-'))
    mkdirSync(join(home, 'release-1', 'node_modules'), { recursive: true })
    const root = join(import.meta.dirname, '../..')
    cpSync(join(root, 'dist'), join(home, 'release-1', 'node_modules', 'tsgi', 'dist'), { recursive: true })
    cpSync(join(root, 'package.json'), join(home, 'release-1', 'node_modules', 'tsgi', 'package.json'))
    cpSync(join(root, 'nginx'), join(home, 'release-1', 'node_modules', 'tsgi', 'nginx'), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'))
    symlinkSync('release-1', join(home, 'current'))
    const cwd = join(home, 'current')
    const main = join(cwd, 'node_modules', 'tsgi', 'dist', 'cli', 'main.js')
    const run = (name: string) =>
      spawnSync(process.execPath, [main, 'init', name, 'app.ts'], {
        cwd,
        encoding: 'utf8',
        env: { ...process.env, PWD: cwd },
      }).stdout
    const unit = run('systemd')
    expect(unit).toContain(`ExecStart=${process.execPath} ${main} serve app.ts `)
    expect(unit).toContain(`WorkingDirectory=${cwd}\n`)
    expect(unit).toContain(`\nEnvironment=PWD=${cwd}\n`)
    expect(verified(unit)).toBe('')
    expect(run('nginx')).toContain(`include ${cwd}/node_modules/tsgi/nginx/uwsgi_params;`)
    const { text } = await printed(['systemd', 'app.ts'])
    expect(text).not.toContain('PWD')
  })

  test('has a folder made in /run for every socket and the pidfile, whatever they are for', async () => {
    const endpoints = [
      '--control',
      '/run/ctl/a.sock',
      '--stats',
      '/var/run/deep/er/a.sock',
      '--pidfile',
      '/run/a b/pid',
    ]
    const { text } = await printed(['systemd', 'app.ts', '--uwsgi', '127.0.0.1:9000', ...endpoints])
    expect(text).toContain('RuntimeDirectory=ctl deep/er "a b"\nRuntimeDirectoryMode=0750\n')
    expect(verified(text)).toBe('')
  })

  test('has a folder made in /var/log for the log files, and says where only root could make one', async () => {
    const files = ['--log-file', '/var/log/shop/tsgi.log', '--access-log', 'json', '--access-log-file']
    const { text } = await printed(['systemd', 'app.ts', ...files, '/var/log/a b/access.log'])
    expect(text).toContain('RuntimeDirectory=my-shop\n')
    expect(text).toContain('LogsDirectory=shop "a b"\nLogsDirectoryMode=0750\n')
    expect(verified(text)).toBe('')
    // Root's folder, in which the workers open the files that the master has made.
    const asUser = await printed(['systemd', 'app.ts', '--user', 'shop', ...files, '/var/log/access.log'])
    expect(asUser.text).toContain('LogsDirectory=shop\nLogsDirectoryMode=0755\n')
    expect(asUser.text).not.toContain('# Only root makes files')
    const bare = await printed(['systemd', 'app.ts', '--log-file', '/var/log/tsgi.log'])
    expect(bare.text).toContain('# Only root makes files in /var/log itself')
    expect(bare.text).not.toContain('LogsDirectory')
  })

  test('shares /tmp where a socket is in it, and gives the service one of its own elsewhere', async () => {
    const shared = await printed(['systemd', 'app.ts', '--uwsgi', '/tmp/app.sock'])
    expect(shared.text).not.toMatch(/^PrivateTmp/m)
    expect(shared.text).toContain('# No PrivateTmp=true: /tmp/app.sock is in the /tmp that all share')
  })

  test.each([
    [['--uwsgi', '/run/a/app.sock'], 'User=www-data\nGroup=www-data\n'],
    [['--uwsgi', '/run/a/app.sock', '--socket-group', 'nginx'], 'User=www-data\nGroup=nginx\n'],
    [
      ['--uwsgi', '/run/a/app.sock', '--socket-group', 'nginx', '--group', 'shop'],
      'User=www-data\nGroup=shop\nSupplementaryGroups=nginx\n',
    ],
    [['--http', ':80'], 'Group=www-data\n# For a port below 1024.\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n'],
  ])('lets tsgi do what %j asks for without being root', async (args, lines) => {
    const { text } = await printed(['systemd', 'app.ts', ...args])
    expect(text).toContain(lines)
    expect(verified(text)).toBe('')
  })

  test('leaves the master root where the workers are to be somebody else', async () => {
    const { text } = await printed(['systemd', 'app.ts', '--uwsgi', '/run/a/app.sock', '--user', 'shop'])
    expect(text).not.toMatch(/^(?:User|Group)=/m)
    // Root's folder, with the workers' socket in it.
    expect(text).toContain('RuntimeDirectoryMode=0755\n')
    expect(verified(text)).toBe('')
  })
})

/** The command as systemd would run it (systemd.service(5), "Command lines"). */
function wordsOfUnit(line: string): string[] {
  return [...line.matchAll(/"((?:\\.|[^"])*)"|(\S+)/g)].map(([, quoted, plain]) =>
    (quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '').replaceAll('%%', '%').replaceAll('$$', '$'),
  )
}

/** What systemd says about the unit: nothing, where all is well, or where there is no systemd. */
function verified(unit: string): string {
  if (findCommand('systemd-analyze') === undefined) return ''
  const file = join(tempDir('tsgi-unit-'), 'shop.service')
  writeFileSync(file, unit)
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
  // It speaks of other units of the machine, too.
  return status === 0
    ? ''
    : stderr
        .split('\n')
        .filter((line) => line.includes('shop.service'))
        .join('\n') || `exit ${status}`
}

describe('the file for Compose', () => {
  test('leaves out the mode and the accounts that are for this machine', async () => {
    const env = { TSGI_SOCKET_GROUP: 'www-data', TSGI_MAX_BODY: '5m' }
    const { text } = await printed(['compose', 'app.ts', '--socket-mode', '0600', '--user', 'shop'], env)
    expect(text).toContain('"--uwsgi","/run/tsgi/app.sock","--socket-mode","0666","--max-body","5m"]')
  })

  test('serves over a socket that both containers share', async () => {
    const { text } = await printed(['compose', 'app.ts', '--fastcgi', ':9000', '--request-timeout', '5'])
    expect(text).toContain('name: my-shop\n')
    expect(text).toContain(
      '["serve","app.ts","--fastcgi","/run/tsgi/app.sock","--socket-mode","0666","--request-timeout","5"]',
    )
    expect(text).toContain(
      'tsgi init nginx app.ts --fastcgi /run/tsgi/app.sock --files /etc/nginx/tsgi --request-timeout 5 >',
    )
  })

  test('has the site for nginx made with the same limits', async () => {
    const options = ['--chdir', 'inner', '--config', 'prod.json', '--request-timeout', '300']
    const { text } = await printed(['compose', 'app.mjs', '--workers', '2', ...options], { TSGI_MAX_BODY: '1g' })
    const [, line = ''] = /^# +tsgi (init nginx .*) > nginx\.conf$/m.exec(text) ?? []
    expect(line).not.toContain('--workers')
    const site = await printed(line.split(' ').slice(1))
    expect(site.text).toContain('client_max_body_size 1g;')
    expect(site.text).toContain('uwsgi_read_timeout 305s;')
    expect(site.text).toContain('/inner/public";')
  })

  test('has everything that tsgi makes where the container can write', async () => {
    const services = ['--control', '/run/my/ctl.sock', '--stats', './stats.sock', '--metrics', '/run/my/metrics.sock']
    const files = ['--pidfile', '/run/my/pid', '--log-file', '/var/log/my/tsgi.log']
    const { text } = await printed(['compose', 'app.ts', ...services, ...files])
    const [, words = ''] = /^ +command: (.*)$/m.exec(text) ?? []
    expect(JSON.parse(words).slice('serve app.ts --uwsgi SOCKET --socket-mode 0666'.split(' ').length)).toEqual([
      ...['--control', '/tmp/control.sock', '--pidfile', '/tmp/tsgi.pid'],
      ...['--stats', '/run/tsgi/stats.sock', '--metrics', '/run/tsgi/metrics.sock'],
    ])
    expect(text).toContain('docker compose exec app node_modules/.bin/tsgi ctl status --control /tmp/control.sock\n')
  })

  test('has no TLS, as its only listener is a Unix socket', async () => {
    const { text } = await printed(['compose', 'app.ts', '--uwsgi', ':9000', ...TLS])
    expect(text).not.toContain('--tls')
  })

  test('is not made with what the file, which is a part of the image, says of this machine', async () => {
    const cwd = tempDir()
    writeFileSync(join(cwd, 'prod.json'), JSON.stringify({ logFile: '/var/log/shop.log', user: 'www-data' }))
    const { code, stderr } = await runTsgi(['init', 'compose', 'app.ts', '--config', 'prod.json'], { cwd })
    expect(stderr).toMatch(/^tsgi: --user, which a configuration file sets: .*\ntsgi: --log-file, which .*\n$/)
    expect(code).toBe(2)
  })

  test('is not made with addresses that nobody can reach', async () => {
    const args = ['--stats', '127.0.0.1:9101', '--metrics', ':9100']
    const { code, stderr } = await runTsgi(['init', 'compose', 'app.ts', ...args], { cwd: tempDir() })
    expect(stderr).toBe(
      'tsgi: --stats 127.0.0.1:9101: the container has no network, so that nobody reaches it; say --stats /run/tsgi/stats.sock\n' +
        'tsgi: --metrics :9100: the container has no network, so that nobody reaches it; say --metrics /run/tsgi/metrics.sock\n',
    )
    expect(code).toBe(2)
  })

  test('quotes for the shell, and for Compose itself, which puts variables in', async () => {
    const { text } = await printed(['compose', 'my app.ts', '--env', 'PRICE=$5'])
    expect(text).toContain("tsgi init nginx 'my app.ts' --uwsgi")
    expect(text).toContain('"--env","PRICE=$$5"]')
  })
})

test.each([
  ['-x', 'x'],
  ['日本', 'app'],
  ['My Shop!', 'My-Shop'],
])('the folder %s gives the name %s, which is one for all targets', async (folder, name) => {
  const cwd = join(tempDir('tsgi-init-'), folder)
  mkdirSync(cwd)
  const [unit, compose] = await Promise.all([
    runTsgi(['init', 'systemd', 'app.ts'], { cwd }),
    runTsgi(['init', 'compose', 'app.ts'], { cwd }),
  ])
  expect(unit.stdout).toContain(`systemctl enable --now ${name}\n`)
  expect(compose.stdout).toContain(`\nname: ${name.toLowerCase()}\n`)
})
