/** The deployment scripts of examples/site, each on a fresh Debian with systemd, and the site in a real browser. */

import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'
import { readPage, servesPages, talkOverWebSocket, visit } from './support/browse.ts'
import { type Browser, startBrowser } from './support/chromium.ts'
import { connectEngine } from './support/engine.ts'
import { watchForFailures } from './support/failures.ts'
import { run } from './support/run.ts'
import { ROOT } from './support/stand-ins.ts'

const host = inject('dockerHost')
const engine = connectEngine(host)
const SCREENSHOTS = join(ROOT, 'coverage', 'docker')
const MACHINE = 'tsgi-test/machine'
/** systemd manages control groups; the machine is ours from top to bottom. */
const MACHINE_FLAGS = [
  '--cap-add',
  'SYS_ADMIN',
  '--security-opt',
  'seccomp=unconfined',
  '--tmpfs',
  '/run',
  '--tmpfs',
  '/run/lock',
  '--tmpfs',
  '/tmp',
  '--volume',
  '/sys/fs/cgroup:/sys/fs/cgroup:rw',
]

let tarball = ''

beforeAll(async () => {
  if (host === '') return
  mkdirSync(SCREENSHOTS, { recursive: true })
  const folder = tempDir('tsgi-pack-')
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT })
  tarball = join(folder, readdirSync(folder)[0] ?? '')
  await engine.docker(['build', '--quiet', '--tag', MACHINE, join(ROOT, 'test', 'docker', 'stand-ins', 'machine')])
})

describe.skipIf(host === '').each(['nginx', 'apache'] as const)('deploy/%s on a fresh Debian', (front) => {
  const name = `tsgi-machine-${front}-${process.pid}`
  const within = (...command: readonly string[]) => engine.docker(['exec', name, ...command])
  let port = 0
  let browser: Browser

  beforeAll(async () => {
    port = await freePort()
    await engine.docker([
      'run',
      '--detach',
      '--name',
      name,
      '--publish',
      `127.0.0.1:${port}:80`,
      ...MACHINE_FLAGS,
      MACHINE,
    ])
    await until(
      'systemd is up',
      async () => {
        const { stdout } = await engine.docker(['exec', name, 'systemctl', 'is-system-running'], { mayFail: true })
        return ['running', 'degraded'].includes(stdout.trim())
      },
      60_000,
    )
    await engine.docker(['cp', join(ROOT, 'examples', 'site'), `${name}:/root/site`])
    await engine.docker(['cp', tarball, `${name}:/root/tsgi.tgz`])
    const script = `/root/site/deploy/${front}/install.sh`
    await engine.docker(['exec', '--env', 'TSGI_PACKAGE=/root/tsgi.tgz', name, 'sh', script])
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await engine.docker(['rm', '--force', '--volumes', name], { mayFail: true })
  })

  test('serves pages, forms, uploads and streams', async () => {
    await visit(port)
    if (front === 'nginx') await talkOverWebSocket(port)
  })

  test('systemd waits until workers accept, and is told that they are well', async () => {
    const { stdout } = await within(
      ...['systemctl', 'show', 'site'],
      ...['--property', 'Type,ActiveState,SubState,StatusText,WatchdogUSec,WatchdogTimestampMonotonic'],
    )
    expect(stdout).toContain('Type=notify\n')
    expect(stdout).toContain('ActiveState=active\nSubState=running\n')
    expect(stdout).toMatch(/^StatusText=\d+ of \d+ workers? ready, generation \d+$/m)
    expect(stdout).toMatch(/^WatchdogTimestampMonotonic=[1-9]/m)
  })

  test('systemd has nothing to say against the unit, nor against that of tsgi init', async () => {
    const init = 'cd /srv/app && node_modules/.bin/tsgi init systemd app.ts --uwsgi /run/tsgi/app.sock'
    await within('sh', '-c', `${init} > /tmp/init.service`)
    for (const unit of ['/etc/systemd/system/site.service', '/tmp/init.service']) {
      const { output } = await within('systemd-analyze', 'verify', unit)
      expect(output.split('\n').filter((line) => line.includes(unit))).toEqual([])
    }
  })

  test('only the front server may connect to the socket', async () => {
    const modes = await within('stat', '--format', '%A %U %G', '/run/tsgi', '/run/tsgi/app.sock')
    expect(modes.stdout).toBe('drwxr-x--- site www-data\nsrw-rw---- site www-data\n')
    const request = 'tsgi=/srv/app/node_modules/.bin/tsgi; exec $tsgi request --uwsgi /run/tsgi/app.sock /health'
    expect((await within('runuser', '-u', 'www-data', '--', 'sh', '-c', request)).stdout).toBe('well\n')
    const stranger = await engine.docker(['exec', name, 'runuser', '-u', 'node', '--', 'sh', '-c', request], {
      mayFail: true,
    })
    expect(stranger).toMatchObject({ code: 1, output: expect.stringContaining('this user may not connect') })
  })

  test('keeps the key to the user of the site, and the code from it', async () => {
    const { stdout } = await within('stat', '--format', '%A %U', '/etc/site/session.key', '/srv/app/app.ts')
    expect(stdout).toBe('-r-------- site\n-rw-r--r-- root\n')
    const { stdout: pids } = await within('systemctl', 'show', '--property', 'MainPID', '--value', 'site')
    expect((await within('stat', '--format', '%U', `/proc/${pids.trim()}`)).stdout.trim()).toBe('site')
  })

  test('reloads without losing a request, and can be run again', async () => {
    const watch = watchForFailures(port, { connections: 2 })
    await within('systemctl', 'reload', 'site')
    const counted = await watch.stop()
    expect(counted).toMatchObject({ failed: 0, kinds: {} })
    await engine.docker([
      'exec',
      '--env',
      'TSGI_PACKAGE=/root/tsgi.tgz',
      name,
      'sh',
      `/root/site/deploy/${front}/install.sh`,
    ])
    await readPage(port)
  })

  test('code that does not load makes the reload fail, and the old code serves on', async () => {
    await within('sh', '-c', 'mv /srv/app/pages.ts /srv/app/pages.ts.away')
    const reload = await engine.docker(['exec', name, 'systemctl', 'reload', 'site'], { mayFail: true })
    expect(reload.code).not.toBe(0)
    await readPage(port)
    await until('systemd knows that the service runs on', async () => {
      const { stdout } = await within('systemctl', 'show', '--property', 'SubState,NRestarts', 'site')
      return stdout === 'NRestarts=0\nSubState=running\n'
    })
    await within('mv', '/srv/app/pages.ts.away', '/srv/app/pages.ts')
  })

  test('looks right in a browser, and works there', async () => {
    await browser.open(`http://127.0.0.1:${port}/`)
    expect(await browser.evaluate('document.querySelector("h1").textContent')).toBe('A site behind tsgi')
    // Style sheet and picture came: from the front server, which is not asked twice.
    expect(await browser.evaluate('getComputedStyle(document.querySelector("header")).display')).toBe('flex')
    expect(await browser.evaluate('document.querySelector("img").naturalWidth > 0')).toBe(true)
    await browser.screenshot(join(SCREENSHOTS, `site-behind-${front}.png`))

    await browser.open(`http://127.0.0.1:${port}/form`)
    await browser.evaluate('document.querySelector("input").value = "Zoë <b>"; document.querySelector("form").submit()')
    await until(
      'the answer to the form',
      async () => (await browser.evaluate('document.querySelector("#greeting")?.textContent')) === 'Good day, Zoë <b>!',
    )
    await browser.screenshot(join(SCREENSHOTS, `form-behind-${front}.png`))

    await browser.open(`http://127.0.0.1:${port}/events`)
    await until(
      'five events',
      async () => (await browser.evaluate('document.querySelectorAll("#events li").length')) === 5,
    )

    await browser.open(`http://127.0.0.1:${port}/chat`)
    const wanted = front === 'nginx' ? 'you said: hello' : 'This front server has no WebSockets for us.'
    await until(
      'the chat',
      async () => (await browser.evaluate('document.querySelector("#answer").textContent')) === wanted,
    )
    // An open WebSocket is a request in flight: the restart below would wait for it.
    await browser.open('about:blank')
  })

  test('says in one line what is wrong with a key that is missing, and starts by itself once it is there', async () => {
    await within('mv', '/etc/site/session.key', '/etc/site/away')
    const restart = await engine.docker(['exec', name, 'systemctl', 'restart', 'site'], { mayFail: true })
    expect(restart.code).not.toBe(0)
    expect((await within('systemctl', 'show', '--property', 'ExecMainStatus', 'site')).stdout).toContain('=3')
    await until('systemd tries again, at its own pace', async () => {
      const { stdout } = await within('systemctl', 'show', '--property', 'NRestarts', 'site')
      return Number(stdout.split('=')[1]) >= 2
    })
    const { stdout } = await within('journalctl', '--no-pager', '--unit', 'site', '--since', '-20s')
    expect(stdout).toMatch(/could not load the application.*ENOENT.*\/etc\/site\/session\.key/)
    await within('mv', '/etc/site/away', '/etc/site/session.key')
    await servesPages(port, 20_000)
  })
})
