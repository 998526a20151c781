import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { freePort } from '../support/ports.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { commandLine } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

/** `tsgi dev` on a port of its own. */
async function startDev(
  folder: string,
  app: string,
  env: Readonly<Record<string, string>> = {},
  through: readonly string[] = [],
  started = /ready: 1 worker/,
) {
  const listen = `127.0.0.1:${await freePort()}`
  const [command = '', ...args] = [...through, process.execPath, commandLine, 'dev', app, '--http', listen]
  const dev = startServer({
    name: 'tsgi dev',
    command,
    args,
    cwd: folder,
    env,
  })
  await dev.waitForLog(started)
  return { dev, url: `http://${listen}/` }
}

test('dev serves over HTTP with one worker, whatever production says, and reloads when a file changes', async () => {
  const folder = tempDir('tsgi-dev-')
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('tsgi.config.json', '{ "workers": 7, "uwsgi": "/nowhere/app.sock", "user": "nobody" }')
  write('greeting.mjs', `export const greeting = 'Hello'`)
  write(
    'app.mjs',
    `import { greeting } from './greeting.mjs'
     export const application = (environ, startResponse) => {
       startResponse('200 OK', [['Content-Type', 'text/plain']])
       return [new TextEncoder().encode(greeting)]
     }`,
  )
  const { dev, url } = await startDev(folder, 'app.mjs')
  const answer = async () => (await fetch(url, { headers: { connection: 'close' } })).text()

  expect(dev.lines).toContain(`tsgi dev: ${url}`)
  expect(await answer()).toBe('Hello')

  write('greeting.mjs', `export const greeting = 'Good day'`)
  await dev.waitForLog(/greeting\.mjs changed/)
  await until('the new greeting', async () => (await answer()) === 'Good day')

  // A mistake leaves what worked in place, and says what is wrong.
  const fromLine = dev.lines.length
  write('greeting.mjs', `export const greeting = `)
  await dev.waitForLog(/SyntaxError|Unexpected/, { fromLine })
  expect(await answer()).toBe('Good day')
  expect(await dev.stop()).toMatchObject({ code: 0 })
})

test('dev waits for the change that mends an application which does not load', async () => {
  const folder = tempDir('tsgi-dev-')
  writeFileSync(join(folder, 'app.mjs'), 'export const application = ')
  const { dev, url } = await startDev(folder, 'app.mjs', {}, [], /waits for a change/)
  expect(dev.lines.join('\n')).toMatch(/SyntaxError|Unexpected/)
  await expect(fetch(url)).rejects.toThrow()

  // Still wrong: it says so once more, and waits.
  const fromLine = dev.lines.length
  writeFileSync(join(folder, 'app.mjs'), 'export const application = 1')
  await dev.waitForLog(/waits for a change/, { fromLine })

  writeFileSync(join(folder, 'app.mjs'), GOOD)
  await dev.waitForLog(/ready: 1 worker/)
  expect((await fetch(url, { headers: { connection: 'close' } })).status).toBe(200)
  expect(await dev.stop()).toMatchObject({ code: 0 })
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends a dev that waits for a change', async (signal) => {
  const folder = tempDir('tsgi-dev-')
  writeFileSync(join(folder, 'app.mjs'), 'export const application = ')
  const { dev } = await startDev(folder, 'app.mjs', {}, [], /waits for a change/)
  dev.signal(signal)
  expect(await dev.exited).toMatchObject({ signal })
})

const GOOD = `export const application = (environ, startResponse) => (startResponse('200 OK', []), [])`

test('dev passes by a folder that it may not read', async () => {
  const folder = tempDir('tsgi-dev-')
  writeFileSync(join(folder, 'app.mjs'), GOOD)
  mkdirSync(join(folder, 'database'), { mode: 0 })
  const through = process.getuid?.() === 0 ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : []
  const { dev } = await startDev(folder, 'app.mjs', {}, through)
  writeFileSync(join(folder, 'app.mjs'), `${GOOD}\n`)
  await dev.waitForLog(/app\.mjs changed/)
  await dev.stop()
})

/** The limit of inotify belongs to a user namespace: one of its own can have a low one. */
const FEW_WATCHES = ['unshare', '-Ur', 'sh', '-c', 'echo 2 > /proc/sys/user/max_inotify_watches && exec "$@"', 'sh']
const [unshare = '', ...rest] = [...FEW_WATCHES, 'true']

test.skipIf(spawnSync(unshare, rest).status !== 0)(
  'dev serves without reloading where the kernel watches no more folders, and says what to do',
  async () => {
    const folder = tempDir('tsgi-dev-')
    writeFileSync(join(folder, 'app.mjs'), GOOD)
    for (const name of ['a', 'b', 'c']) mkdirSync(join(folder, name))
    const { dev, url } = await startDev(folder, 'app.mjs', {}, FEW_WATCHES)
    expect((await fetch(url, { headers: { connection: 'close' } })).status).toBe(200)
    const said = dev.lines.filter((line) => line.includes('tsgi dev: no reload'))
    expect(said).toEqual([expect.stringContaining('sysctl fs.inotify.max_user_watches=')])
    await dev.stop()
  },
)

test('dev names no URL where it cannot listen', async () => {
  const folder = tempDir('tsgi-dev-')
  writeFileSync(join(folder, 'app.mjs'), 'export const application = () => []')
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  const { code, stderr } = await runTsgi(['dev', 'app.mjs', '--http', `127.0.0.1:${port}`], { cwd: folder })
  expect(stderr).toMatch(new RegExp(`another process is using it \\(.*, pid ${process.pid}\\); stop`))
  expect(stderr).not.toContain('http://')
  expect(code).toBe(4)
})

test('dev serves an application that says of itself that it is a production build, and leaves its errors to it', async () => {
  const folder = tempDir('tsgi-dev-')
  writeFileSync(
    join(folder, 'server.mjs'),
    `import { createServer } from 'node:http'
     process.env.NODE_ENV = 'production'
     createServer(() => { throw new Error('a secret') }).listen(3000)`,
  )
  const { dev, url } = await startDev(folder, 'server.mjs', { NODE_ENV: '' })
  await dev.waitForLog(/server\.mjs has set NODE_ENV to production/)
  const response = await fetch(url, { headers: { accept: 'text/html', connection: 'close' } })
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('secret')
  await dev.stop()
})

test('dev shows an error of the application in the browser, with its causes and the source, and logs it', async () => {
  const folder = tempDir('tsgi-dev-')
  writeFileSync(
    join(folder, 'app.mjs'),
    `const find = (id, depth = 30) => {
       if (depth > 0) return find(id, depth - 1)
       throw new Error('the page cannot be shown', { cause: new RangeError('there is no article ' + id) })
     }
     export const application = async (environ, startResponse) => {
       const article = find(environ.PATH_INFO.slice(1))
       startResponse('200 OK', [['Content-Type', 'text/plain']])
       return [article]
     }`,
  )
  const { dev, url } = await startDev(folder, 'app.mjs', { NODE_ENV: '' })
  const ask = (accept: string) => fetch(`${url}<42>?token=secret`, { headers: { accept } })
  const response = await ask('text/html')
  const page = await response.text()
  expect(response.status).toBe(500)
  expect(page).toContain('<h1>Error: the page cannot be shown</h1>')
  expect(page).toContain('<h1>Caused by RangeError: there is no article &#60;42&#62;</h1>')
  expect(page).toMatch(/class="marked"><i>3<\/i>\s+throw new Error/)
  expect(page).toContain('app.mjs:3:')
  // Not the ten frames that V8 takes by itself: where the application began is among them.
  expect(page).toMatch(/class="own">application <span>\S*app\.mjs:6:/)
  expect(page).not.toContain('secret')
  // A program is told in its own way.
  expect(await (await ask('application/json')).json()).toMatchObject({
    status: 500,
    detail: 'the page cannot be shown',
  })
  await dev.waitForLog(/caused by: RangeError: there is no article/)
  expect(await dev.stop()).toMatchObject({ code: 0 })
})

test('dev does not run where NODE_ENV says production', async () => {
  const folder = tempDir('tsgi-dev-')
  writeFileSync(join(folder, 'app.mjs'), 'export const application = () => []')
  const { code, stderr } = await runTsgi(['dev', 'app.mjs'], { cwd: folder, env: { NODE_ENV: 'production' } })
  expect(code).toBe(2)
  expect(stderr).toMatch(/NODE_ENV is production/)
})
