import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfigFile } from '../../src/options/config-file.ts'
import { loadOptions } from '../../src/options/load.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsgi-config-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const defineConfigUrl = pathToFileURL(join(import.meta.dirname, '../../src/options/define-config.ts')).href

describe('a configuration file', () => {
  test('is not needed', async () => {
    expect(await readConfigFile(undefined, folder)).toBeUndefined()
  })

  test('in TypeScript may use all of the language, also what Node cannot strip', async () => {
    write('package.json', '{ "type": "module" }')
    write(
      'tsgi.config.ts',
      `import { defineConfig } from ${JSON.stringify(defineConfigUrl)}
       enum Size { Small = 2 }
       const workers: number = await Promise.resolve(Size.Small)
       console.log('not part of the configuration')
       export default defineConfig({ workers, gracefulTimeout: '5s' })`,
    )
    const file = await readConfigFile(undefined, folder)
    expect(file).toEqual({ path: join(folder, 'tsgi.config.ts'), values: { workers: 2, gracefulTimeout: '5s' } })
  })

  test.each([
    ['tsgi.config.js', 'module.exports = { workers: 3 }'],
    ['tsgi.config.mjs', 'export default { workers: 3 }'],
    ['tsgi.config.json', '{ "workers": 3 }'],
    ['tsgi.config.ts', 'export default { workers: 3 }'],
  ])('%s is found by itself', async (name, text) => {
    write(name, text)
    expect((await readConfigFile(undefined, folder))?.values).toEqual({ workers: 3 })
  })

  test('that is a link to nothing is missed, not left out', async () => {
    symlinkSync('gone.ts', join(folder, 'tsgi.config.ts'))
    await expect(readConfigFile(undefined, folder)).rejects.toThrow('there is no such file')
  })

  test('is read anew each time', async () => {
    write('tsgi.config.mjs', 'export default { workers: 3 }')
    await readConfigFile(undefined, folder)
    write('tsgi.config.mjs', 'export default { workers: 4 }')
    expect((await readConfigFile(undefined, folder))?.values).toEqual({ workers: 4 })
  })

  test('that fails is shown with its own error and place', async () => {
    write('tsgi.config.ts', 'const wrong: string = undefined\nexport default wrong.length')
    await expect(readConfigFile(undefined, folder)).rejects.toMatchObject({
      code: 'TSGI_USAGE',
      message: expect.stringMatching(/reading 'length'[\s\S]*tsgi\.config\.ts:2/),
    })
  })

  test.each([
    ['tsgi.config.ts', 'export const workers = 3', 'no default export'],
    ['tsgi.config.ts', 'export default 3', 'its default export is 3'],
    ['tsgi.config.ts', 'export default { env: { A() {} } }', 'env.A: function A'],
    ['tsgi.config.ts', 'process.exit(7)', 'exit code 7'],
    ['tsgi.config.json', '[1]', 'an array of 1'],
    ['tsgi.config.json', '{ workers: 3 }', 'JSON'],
  ])('%s with %j is refused', async (name, text, words) => {
    write(name, text)
    await expect(readConfigFile(undefined, folder)).rejects.toThrow(words)
  })

  test('that waits for something for too long is given up', async () => {
    write(
      'tsgi.config.mjs',
      "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); await new Promise(() => {})",
    )
    const reading = readConfigFile(undefined, folder, 1500)
    await expect(reading).rejects.toThrow('tsgi.config.mjs: it was not read within 1.5 s')
  })

  test('that is given must exist', async () => {
    await expect(readConfigFile('other.ts', folder)).rejects.toThrow('there is no such file')
  })

  test('of a kind that nothing reads is refused', async () => {
    write('tsgi.yaml', 'workers: 3')
    await expect(readConfigFile('tsgi.yaml', folder)).rejects.toThrow('ends in .ts')
  })

  test('must be the only one', async () => {
    write('tsgi.config.json', '{}')
    write('tsgi.config.js', 'export default {}')
    await expect(readConfigFile(undefined, folder)).rejects.toThrow('--config')
  })
})

test('a variable that was not set where the configuration file was read is not set for the workers', async () => {
  write(
    'tsgi.config.mjs',
    'export default { env: { A: process.env.NOT_SET_ANYWHERE, B: 2 }, environ: { C: undefined } }',
  )
  const { options } = await loadOptions({ flags: new Map(), environment: {}, cwd: folder })
  expect(options).toMatchObject({ env: ['B=2'], environ: [] })
})

test('options come from a file that a variable names, and say so', async () => {
  const path = write('production.json', '{ "maxBody": "1m", "mount": "/shop" }')
  const environment = { TSGI_CONFIG: 'production.json' }
  const { options, sources } = await loadOptions({ flags: new Map(), environment, cwd: folder })
  expect(options).toMatchObject({ maxBodyBytes: 1_048_576, mount: ['/shop'], config: path })
  expect(sources.maxBodyBytes.name).toBe(`maxBody in ${path}`)
  expect(sources.config.name).toBe('TSGI_CONFIG')
})
