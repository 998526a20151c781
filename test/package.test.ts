import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { setup } from './support/build-setup.ts'
import { tempDir } from './support/temp-dir.ts'

const root = join(import.meta.dirname, '..')

beforeAll(setup)

/** A project that has installed tsgi, TypeScript and the types of Node, and nothing else. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = tempDir('tsgi-project-')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'tsgi'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** Of a page: its blocks in TypeScript that stand for themselves. */
function samples(page: string): string[] {
  const blocks = readFileSync(join(root, page), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)
  return [...blocks].flatMap(([, text = '']) => (/from 'tsgi'/.test(text) && !/from '\./.test(text) ? [text] : []))
}

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')

describe('what README.md and docs show', () => {
  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('compiles in a strict project that names no types (module %s)', (module, moduleResolution) => {
    const pages = ['README.md', 'docs/interface.md', 'docs/options.md'].flatMap(samples)
    expect(pages.length).toBeGreaterThanOrEqual(4)
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'es2023',
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      skipLibCheck: false,
    }
    const cwd = project({
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.ts'] }),
      ...Object.fromEntries(pages.map((text, index) => [`sample-${index}.ts`, text])),
    })
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', '.'], { cwd, encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })
})

test('the package has what its README leads to, and nothing that is of use in a checkout alone', () => {
  const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' })
  const paths = [...packed.stdout.matchAll(/"path": "([^"]+)"/g)].map(([, path = '']) => path)
  expect(paths).toEqual(
    expect.arrayContaining(['dist/cli/main.js', 'dist/index.d.ts', 'docs/interface.md', 'nginx/app.conf']),
  )
  expect(paths.filter((path) => /\.map$|\.test\.|^(?:src|test)\//.test(path))).toEqual([])
})
