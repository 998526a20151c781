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
