import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { findCommand } from '../../scripts/peers.mjs'
import { startApache } from '../support/apache.ts'
import { setup } from '../support/build-setup.ts'
import { startNginx } from '../support/nginx.ts'
import { tempDir } from '../support/temp-dir.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

async function printed(args: readonly string[]): Promise<{ text: string; file: string; folder: string }> {
  const folder = join(tempDir('tsgi-init-'), 'my shop')
  mkdirSync(join(folder, 'public', 'static'), { recursive: true })
  writeFileSync(join(folder, 'public', 'hello.txt'), 'from the front server')
  writeFileSync(join(folder, 'public', 'static', 'hello.txt'), 'from the front server')
  const { code, stdout, stderr } = await runTsgi(['init', ...args], { cwd: folder })
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
    expect(text).toContain(`tsgi serve app.ts --${flag} ${address}`)
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
    expect(text).toContain('RestartPreventExitStatus=2 3\n')
  })
})

describe('the file for Compose', () => {
  test('serves over a socket that both containers share', async () => {
    const { text } = await printed(['compose', 'app.ts', '--fastcgi', ':9000', '--request-timeout', '5'])
    expect(text).toContain('name: my-shop\n')
    expect(text).toContain(
      '["serve","app.ts","--fastcgi","/run/tsgi/app.sock","--socket-mode","0666","--request-timeout","5"]',
    )
    expect(text).toContain('tsgi init nginx app.ts --fastcgi /run/tsgi/app.sock --files /etc/nginx/tsgi > nginx.conf')
  })
})
