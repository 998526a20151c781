import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { setup } from '../support/build-setup.ts'
import { tempDir } from '../support/temp-dir.ts'
import { runTsgi } from './run-tsgi.ts'

beforeAll(setup)

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = tempDir('tsgi-check-')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

describe('the configuration that check prints', () => {
  const config = `export default { workers: 3, env: { TOKEN: 'secret' }, gracefulTimeout: '90s' }`

  test('has each value with the place it came from, what was set first', async () => {
    const cwd = folderWith({ 'tsgi.config.ts': config })
    const { code, stdout } = await runTsgi(['check', '--http', ':8000'], { cwd, env: { TSGI_MAX_BODY: '5m' } })
    expect(code).toBe(0)
    const lines = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    const path = join(cwd, 'tsgi.config.ts')
    expect(lines[0]).toEqual([`configuration ${path}`])
    expect(lines.slice(1, 6)).toEqual([
      ['http', ':8000', '--http'],
      ['env', 'TOKEN=...', `env in ${path}`],
      ['workers', '3', `workers in ${path}`],
      ['gracefulTimeout', '90s', `gracefulTimeout in ${path}`],
      ['maxBody', '5m', 'TSGI_MAX_BODY'],
    ])
    expect(stdout).not.toContain('secret')
  })

  test('is JSON for programs', async () => {
    const { stdout } = await runTsgi(['check', '--json', '--workers', '2'], { cwd: folderWith({}) })
    const answer: unknown = JSON.parse(stdout)
    expect(answer).toMatchObject({
      file: null,
      options: { workers: { value: 2, source: '--workers' }, backlog: { value: 2048, source: 'default' } },
    })
  })

  test('may be in TypeScript that Node cannot strip, with await, in a folder that says nothing of modules', async () => {
    const cwd = folderWith({
      'tsgi.config.ts': `enum Size { Small = 2 }
        const workers: number = await Promise.resolve(Size.Small)
        export default { workers }`,
    })
    const { stdout } = await runTsgi(['check', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ options: { workers: { value: 2 } } })
  })

  test('is not printed when it is wrong', async () => {
    const cwd = folderWith({ 'tsgi.config.json': '{ "wrokers": 3 }' })
    const { code, stdout, stderr } = await runTsgi(['check'], { cwd })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toBe(
      `tsgi: wrokers in ${join(cwd, 'tsgi.config.json')}: there is no such key; did you mean workers?\n`,
    )
  })
})

describe('the application that check loads', () => {
  const good = 'export const application = (environ, startResponse) => (startResponse("200 OK", []), [])'

  test('is said to load, with its interface', async () => {
    const cwd = folderWith({ 'app.mjs': good })
    const { code, stdout } = await runTsgi(['check', 'app.mjs'], { cwd })
    expect(stdout).toMatch(/application .*app\.mjs\n {2}loads as tsgi in \d+ ms\n$/)
    expect(code).toBe(0)
  })

  test('may be named in the configuration', async () => {
    const cwd = folderWith({ 'app.mjs': good, 'tsgi.config.json': '{ "app": "./app.mjs" }' })
    const { code, stdout } = await runTsgi(['check', '--json'], { cwd })
    const answer: unknown = JSON.parse(stdout)
    expect(answer).toMatchObject({ application: { path: join(cwd, 'app.mjs'), ok: true, interface: 'tsgi' } })
    expect(code).toBe(0)
  })

  test('that throws ends with 3 and its stack', async () => {
    const cwd = folderWith({ 'app.mjs': 'throw new Error("no database")' })
    const { code, stdout } = await runTsgi(['check', 'app.mjs'], { cwd })
    expect(stdout).toMatch(/does not load: [\s\S]*no database[\s\S]*app\.mjs:1/)
    expect(code).toBe(3)
  })

  test('that ends its process, or hangs, ends with 3 and the reason', async () => {
    const cwd = folderWith({
      'exits.mjs': 'process.exit(7)',
      'hangs.mjs': 'setInterval(() => 0, 1000); await new Promise(() => 0)',
    })
    const exits = await runTsgi(['check', 'exits.mjs'], { cwd })
    expect(exits.stdout).toContain('it ended its process with exit code 7')
    expect(exits.code).toBe(3)
    const hangs = await runTsgi(['check', 'hangs.mjs', '--boot-timeout', '500ms'], { cwd })
    expect(hangs.stdout).toContain('it is not ready after 0.5 seconds (--boot-timeout)')
    expect(hangs.code).toBe(3)
  })
})
