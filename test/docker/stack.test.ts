import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { httpRequest } from '../support/http-client.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'
import { readStaticFile, servesPages, talkOverWebSocket, versionOf, visit } from './support/browse.ts'
import { connectEngine } from './support/engine.ts'
import { type Counted, watchForFailures } from './support/failures.ts'
import { run } from './support/run.ts'
import { prepareStack, type Stack } from './support/stack.ts'
import { BASE_IMAGES } from './support/stand-ins.ts'

const host = inject('dockerHost')
const engine = connectEngine(host)
const standIns = inject('baseImages') === 'stand-ins'

/** Figures are for people: they are in the output of the run, and in docs/deployment.md. */
const report = (what: string, figure: string) => console.log(`figure: ${what}: ${figure}`)

describe.skipIf(host === '')('the image', () => {
  const inside = (...command: readonly string[]) =>
    engine.docker(['run', '--rm', '--read-only', '--network', 'none', '--entrypoint', '', 'tsgi', ...command])

  test('adds less than 30 MB to its base', async () => {
    const bytes = async (image: string) =>
      Number((await engine.docker(['inspect', '--format', '{{.Size}}', image])).stdout)
    const addedMb = ((await bytes('tsgi')) - (await bytes(BASE_IMAGES.node))) / 1e6
    report('the image beyond its base', `${addedMb.toFixed(1)} MB`)
    expect(addedMb).toBeLessThan(30)
  })

  test('is nobody in particular, and has no package manager', async () => {
    const { stdout } = await inside(
      'sh',
      '-c',
      'id -u; for c in apt apt-get dpkg npm npx yarn corepack; do command -v $c; done; true',
    )
    expect(stdout).toBe('1000\n')
  })

  test('runs on a read-only file system, and its commands work', async () => {
    expect((await inside('tsgi', '--version')).stdout).toMatch(/^tsgi \d/)
  })

  test('asks itself for its health, through the socket that it serves', async () => {
    const { stdout } = await engine.docker(['inspect', '--format', '{{json .Config.Healthcheck.Test}}', 'tsgi'])
    expect(stdout).toContain('tsgi request')
  })

  test('takes an application in three lines', async () => {
    const folder = tempDir()
    writeFileSync(join(folder, 'Dockerfile'), 'FROM tsgi\nCOPY . /srv/app\nCMD ["serve", "app.ts"]\n')
    writeFileSync(
      join(folder, 'app.ts'),
      `import type { Application } from 'tsgi'
      export const application: Application = (_environ, startResponse) => {
        startResponse('200 OK', [['Content-Type', 'text/plain']])
        return [new TextEncoder().encode('mine')]
      }`,
    )
    await engine.docker(['build', '--quiet', '--tag', 'tsgi-test/mine', folder])
    const flags = ['--read-only', '--tmpfs', '/tmp', '--network', 'none', '--env', 'TSGI_UWSGI=/tmp/app.sock']
    const { stdout } = await engine.docker(['run', '--detach', ...flags, 'tsgi-test/mine'])
    const container = stdout.trim()
    try {
      const asked = await until(
        'it serves',
        async () => {
          const answer = await engine.docker(['exec', container, 'tsgi', 'request', '/'], { mayFail: true })
          return answer.code === 0 ? answer : undefined
        },
        60_000,
      )
      expect(asked.stdout).toBe('mine')
    } finally {
      await engine.docker(['rm', '--force', container])
    }
  })

  test('as process 1 reaps what others left, and leaves at SIGTERM', async () => {
    const name = 'tsgi-first-process'
    const key = ['--env', 'SESSION_KEY_FILE=/srv/app/public/static/site.css', '--env', 'TSGI_UWSGI=/tmp/app.sock']
    await engine.docker(['run', '--detach', '--name', name, '--read-only', '--tmpfs', '/tmp', ...key, 'tsgi-site:1'])
    const within = (script: string) => engine.docker(['exec', name, 'sh', '-c', script])
    await until(
      'the image is healthy',
      async () => {
        const { stdout } = await engine.docker(['inspect', '--format', '{{.State.Health.Status}}', name])
        return stdout.trim() === 'healthy'
      },
      60_000,
    )
    await within('(sh -c "sleep 0.1 & exit 0")')
    await until('no zombie is left', async () => {
      const { stdout } = await within("cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ' || true")
      return stdout.trim() === '0'
    })
    await engine.docker(['stop', '--time', '20', name])
    const { stdout } = await engine.docker(['inspect', '--format', '{{.State.ExitCode}}', name])
    expect(stdout.trim()).toBe('0')
    await engine.docker(['rm', name])
  })
})

const told = ({ failed, total, kinds, retried }: Counted) =>
  `${failed} of ${total} requests failed${failed === 0 ? '' : `: ${JSON.stringify(kinds)}`}${retried === 0 ? '' : `; ${retried} kept connections closed, GETs asked again`}`

describe.skipIf(host === '')('the stack: nginx, and two replicas on Unix sockets', () => {
  let stack: Stack
  const upsMs: number[] = []
  const port = () => stack.ports.nginx

  /** From `docker-compose up` to the first page. */
  const firstPageMs = async () => {
    const startedMs = performance.now()
    await stack.up()
    await servesPages(port())
    return performance.now() - startedMs
  }

  beforeAll(async () => {
    stack = await prepareStack(engine, { APP_IMAGE: 'tsgi-site:1' })
    upsMs.push(await firstPageMs())
  })
  afterAll(() => stack?.down())

  // The best of three: what else the machine does can only make it slower.
  test('is there within ten seconds', async () => {
    for (let again = 0; again < 2; again++) {
      await stack.down()
      upsMs.push(await firstPageMs())
    }
    report('from up to the first page, three times', upsMs.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(', '))
    expect(Math.min(...upsMs)).toBeLessThan(10_000)
  })

  test('serves pages, files, forms, uploads, streams and WebSockets', async () => {
    await visit(port())
    await talkOverWebSocket(port())
  })

  test('is reached through nginx alone', async () => {
    for (const service of ['app-1', 'app-2']) {
      const container = await stack.container(service)
      expect(await stack.inspect(container, '{{.HostConfig.NetworkMode}}')).toBe('none')
      expect(await stack.inspect(container, '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}')).toBe(
        'true [ALL]',
      )
    }
    const { stdout } = await engine.docker([
      'ps',
      '--format',
      '{{.Names}} {{.Ports}}',
      '--filter',
      `name=${stack.project}`,
    ])
    const published = stdout.split('\n').filter((line) => line.includes('->'))
    expect(published).toEqual([expect.stringMatching(new RegExp(`nginx.* 127\\.0\\.0\\.1:${port()}->80/tcp$`))])
  })

  test('is limited, confined, started again, and fills no disk', async () => {
    const format =
      '{{.RestartPolicy.Name}} {{.Memory}} {{.MemorySwap}} {{.PidsLimit}} {{.SecurityOpt}} {{.LogConfig.Config}}'
    for (const service of ['app-1', 'nginx']) {
      const container = await stack.container(service)
      const [restart, memory, swap, pids, ...others] = (
        await stack.inspect(container, format.replaceAll('{{.', '{{.HostConfig.'))
      ).split(' ')
      expect([restart, swap]).toEqual(['unless-stopped', memory])
      expect(Number(memory)).toBeGreaterThan(0)
      expect(Number(pids)).toBeGreaterThan(0)
      expect(others.join(' ')).toBe('[no-new-privileges:true] map[max-file:5 max-size:10m]')
      // The graceful timeout of tsgi is 30 s.
      expect(Number(await stack.inspect(container, '{{.Config.StopTimeout}}'))).toBeGreaterThan(30)
    }
    expect(await stack.inspect(await stack.container('app-1'), '{{.HostConfig.NanoCpus}}')).toBe('2000000000')
  })

  test('sends files without asking the application', async () => {
    const { stdout: before } = await stack.compose(['logs', 'nginx'])
    await readStaticFile(port())
    const { stdout: after } = await stack.compose(['logs', 'nginx'])
    const line = after
      .slice(before.length)
      .split('\n')
      .find((each) => each.includes('/static/site.css'))
    // The last two fields are the upstream and its status.
    expect(line?.trimEnd()).toMatch(/ - -$/)
  })

  test('loses no request to a reload', async () => {
    const watch = watchForFailures(port())
    for (const service of ['app-1', 'app-2', 'app-1']) {
      const { output } = await stack.compose(['exec', '-T', service, 'tsgi', 'ctl', 'reload'])
      expect(output).toContain('is ready')
    }
    const counted = await watch.stop()
    report('three reloads of replicas', told(counted))
    expect(counted).toMatchObject({ failed: 0 })
  })

  test('loses no request to a reload of nginx', async () => {
    const watch = watchForFailures(port(), { frontReloads: true })
    await stack.compose(['exec', '-T', 'nginx', 'nginx', '-s', 'reload'])
    await until('the old workers of nginx have left', async () => {
      const { stdout } = await stack.compose(['exec', '-T', 'nginx', 'sh', '-c', 'cat /proc/[0-9]*/cmdline'])
      return !stdout.includes('shutting down')
    })
    const counted = await watch.stop()
    report('reload of nginx', told(counted))
    expect(counted).toMatchObject({ failed: 0 })
  })

  test('loses at most what was in flight to a killed container, which comes back', async () => {
    const watch = watchForFailures(port())
    const container = await stack.container('app-1')
    // As the kernel would when memory is short. `docker kill` would count as a wish that it stay down.
    process.kill(Number(await stack.inspect(container, '{{.State.Pid}}')), 'SIGKILL')
    await until(
      'it was started again',
      async () => (await stack.inspect(container, '{{.RestartCount}}')) === '1',
      30_000,
    )
    await stack.healthy(container)
    const counted = await watch.stop()
    report('a killed replica', told(counted))
    expect(counted.failed).toBeLessThanOrEqual(12)
  })

  test('rolls to another version, one replica after the other, and loses no request', async () => {
    expect(await versionOf(port())).toBe('1')
    const watch = watchForFailures(port())
    for (const service of ['app-1', 'app-2']) {
      await stack.up(['--no-deps', service], { env: { APP_IMAGE: 'tsgi-site:2' } })
      await stack.healthy(await stack.container(service))
    }
    const counted = await watch.stop()
    report('rolling update', told(counted))
    expect(counted).toMatchObject({ failed: 0 })
    expect(await versionOf(port())).toBe('2')
  })

  test('is there again after the front server was restarted', async () => {
    const watch = watchForFailures(port(), { connections: 2 })
    await stack.compose(['restart', 'nginx'])
    await servesPages(port())
    const counted = await watch.stop()
    report('restart of nginx', told(counted))
    // Nobody listens meanwhile. What nginx had taken it finished: nothing was answered wrongly.
    expect(Object.keys(counted.kinds).filter((kind) => /^\d+$/.test(kind))).toEqual([])
  })
})

describe.skipIf(host === '')('the profile tls', () => {
  let stack: Stack
  beforeAll(async () => {
    const folder = tempDir()
    const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
    const subject = ['-subj', '/CN=localhost', '-days', '2', '-nodes']
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...subject, '-keyout', key, '-out', certificate])
    // Secrets of docker-compose 1.29 are the files themselves: nginx is another user there.
    chmodSync(key, 0o644)
    const files = { TLS_CERTIFICATE_FILE: certificate, TLS_KEY_FILE: key }
    stack = await prepareStack(engine, { APP_IMAGE: 'tsgi-site:1', WORKERS: '1', ...files })
    await stack.up(['tls'])
  })
  afterAll(() => stack?.down())

  test('serves the same over HTTPS, and tells the application so', async () => {
    const target = { port: stack.ports.tls, tls: true }
    const page = await until(
      'the first page over HTTPS',
      () => httpRequest(target, { path: '/' }).catch(() => undefined),
      60_000,
    )
    expect(page).toMatchObject({ status: 200, complete: true })
    expect(page.text).toContain('<h1>A site behind tsgi</h1>')
    expect((await httpRequest(target, { path: '/static/site.css' })).status).toBe(200)
  })
})

describe.skipIf(host === '')('the profile tcp: replicas over a private network', () => {
  let stack: Stack
  const port = () => stack.ports.tcp

  /** Replicas that are there before nginx asks for their addresses are asked from then on; new ones want a reload. */
  const scale = async (count: number) => {
    await stack.up(['--no-deps', '--no-recreate', '--scale', `app=${count}`, 'app'])
    const { stdout } = await stack.compose(['ps', '--quiet', 'app'])
    for (const container of stdout.trim().split('\n')) await stack.healthy(container)
    if (standIns) await stack.compose(['exec', '-T', 'tcp', 'nginx', '-s', 'reload'])
  }

  beforeAll(async () => {
    stack = await prepareStack(engine, { APP_IMAGE: 'tsgi-site:1', WORKERS: '1' })
    await stack.up(['--scale', 'app=2', 'tcp'])
    await servesPages(port())
  })
  afterAll(() => stack?.down())

  test('serves pages, files, forms, uploads, streams and WebSockets', async () => {
    await visit(port())
    await talkOverWebSocket(port())
  })

  test('publishes no port but that of nginx', async () => {
    const container = await stack.container('app')
    expect(await stack.inspect(container, '{{len .NetworkSettings.Networks}} {{.HostConfig.PortBindings}}')).toMatch(
      /^1 map\[\]$/,
    )
  })

  test('scales up and down without losing a request', async () => {
    const watch = watchForFailures(port(), { frontReloads: standIns })
    await scale(4)
    await scale(2)
    const counted = await watch.stop()
    report('scaling from 2 to 4 to 2 replicas', told(counted))
    expect(counted).toMatchObject({ failed: 0, kinds: {} })
  })
})

describe.skipIf(host === '')('the other fronts', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await prepareStack(engine, { APP_IMAGE: 'tsgi-site:1', WORKERS: '1' })
    await stack.up(['apache', 'direct'])
  })
  afterAll(() => stack?.down())

  test('Apache, before the same two replicas', async () => {
    const port = stack.ports.apache
    await servesPages(port)
    await visit(port)
    const watch = watchForFailures(port)
    await stack.up(['--no-deps', 'app-1'], { env: { APP_IMAGE: 'tsgi-site:2' } })
    await stack.healthy(await stack.container('app-1'))
    const counted = await watch.stop()
    report('rolling update behind Apache', told(counted))
    expect(counted).toMatchObject({ failed: 0 })
  })

  test('none at all', async () => {
    const port = stack.ports.direct
    await servesPages(port)
    await visit(port)
    await talkOverWebSocket(port)
  })
})
