import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FIXTURES } from './fixtures.ts'

const root = join(import.meta.dirname, '..', '..')
/** The loader as it ships, compiled: a TypeScript hook for the tests themselves would load the fixtures too. */
let built: string
let fixtures: string

beforeAll(() => {
  const cache = join(root, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  built = mkdtempSync(join(cache, 'tsgi-load-'))
  writeFileSync(join(built, 'package.json'), '{ "type": "module" }')
  const config = {
    extends: join(root, 'tsconfig.build.json'),
    compilerOptions: { rootDir: join(root, 'src'), outDir: join(built, 'dist'), declaration: false },
    include: [],
    files: ['application', 'typeless-hook', 'fresh-modules-hook'].map((name) =>
      join(root, `src/worker/load/${name}.ts`),
    ),
  }
  writeFileSync(join(built, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  execFileSync(process.execPath, [tsc, '-p', join(built, 'tsconfig.json')], { stdio: 'pipe' })
  writeFileSync(
    join(built, 'run.mjs'),
    `import { loadApplication } from './dist/worker/load/application.js'
    const [spec, tsLoader] = process.argv.slice(2)
    const said = []
    try {
      const loaded = await loadApplication(spec, {
        tsLoader,
        say: (message) => said.push(message),
        listened: () => globalThis.listened === true,
      })
      const answer = typeof loaded.exported === 'function' ? await loaded.exported() : loaded.exported
      console.log(JSON.stringify({ ...loaded, exported: undefined, answer, said }))
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message, stack: error.cause?.stack, said }))
    }
    process.exit()`,
  )
  fixtures = mkdtempSync(join(tmpdir(), 'tsgi-apps-'))
  for (const [name, source] of Object.entries(FIXTURES)) {
    mkdirSync(dirname(join(fixtures, name)), { recursive: true })
    writeFileSync(join(fixtures, name), source)
  }
})

afterAll(() => {
  rmSync(built, { recursive: true })
  rmSync(fixtures, { recursive: true })
})

interface Report {
  readonly exportName?: string
  readonly loader?: string
  readonly answer?: unknown
  readonly code?: string
  readonly message?: string
  readonly stack?: string
  readonly said: readonly string[]
}

function load(spec: string, tsLoader = 'auto'): Report {
  const args = [join(built, 'run.mjs'), join(fixtures, spec), tsLoader]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: tmpdir() })
  const [line] = stdout.split('\n').slice(-2)
  if (line === undefined || line === '') throw new Error(`nothing was reported; standard error: ${stderr}`)
  // What run.mjs above printed.
  return JSON.parse(line) as Report
}

const strips = 'typescript' in process.features && process.features.typescript !== false

describe('an application loads', () => {
  test.each([
    ['esm/named.ts', 'application'],
    ['esm/default.ts', 'default'],
    ['esm/both.ts', 'application'],
    ['esm/named.mts', 'application'],
    ['esm/named.mjs', 'application'],
    ['esm/plain.js', 'application'],
    ['esm/await.ts', 'application'],
    ['esm/promise.ts', 'default'],
    ['esm/named.cts', 'application'],
    ['commonjs/named.ts', 'application'],
    ['commonjs/assigned.cjs', 'default'],
    ['commonjs/members.js', 'application'],
    ['commonjs/export-equals.cts', 'default'],
    ['typeless/named.ts', 'application'],
    ['typeless/default.ts', 'default'],
    ['typeless/await.ts', 'application'],
    ['typeless/plain.js', 'application'],
    ['esm/others.ts:other', 'other'],
    ['esm/others.ts:api.handlers.main', 'api.handlers.main'],
    ['esm/others.ts:make()', 'make()'],
    ['esm/others.ts:makeLater()', 'makeLater()'],
    ['esm/others.ts:api.make()', 'api.make()'],
  ])('%s', (spec, exportName) => {
    expect(load(spec)).toMatchObject({ exportName, answer: 'ok' })
  })

  test.each([
    ['esm/enum.ts', /enum/],
    ['esm/enum-shared.ts', /enum/],
    ['esm/paths-shared.ts', /Cannot find/],
    ['esm/extensionless.ts', /Cannot find/],
    ['esm/js-extension.ts', /Cannot find/],
    ['esm/paths.ts', /Cannot find/],
    ['typeless/paths.ts', /Cannot find/],
    ['esm/decorator.ts', /./],
    ['esm/type-import.ts', /./],
    ['esm/parameter-property.ts', /parameter property/],
    ['typeless/await-extensionless.ts', /Cannot find/],
  ])('%s, which only tsx can load, and the log says so where Node was tried first', (spec, why) => {
    const report = load(spec)
    expect(report).toMatchObject({ answer: 'ok', loader: 'tsx' })
    expect(report.said).toHaveLength(strips ? 1 : 0)
    if (strips) expect(report.said[0]).toMatch(why)
  })

  test('a server that listens by itself needs no export', () => {
    expect(load('esm/listens.ts')).toMatchObject({ exportName: '' })
  })

  test('types are stripped by Node where it can, unless tsx is asked for', () => {
    expect(load('esm/named.ts').loader).toBe(strips ? 'native' : 'tsx')
    expect(load('esm/named.ts', 'tsx').loader).toBe('tsx')
    expect(load('esm/plain.js', 'tsx').loader).toBe('node')
  })

  test.runIf(strips)('native means native: what Node cannot strip is an error', () => {
    expect(load('esm/enum.ts', 'native')).toMatchObject({ code: 'TSGI_LOAD', message: expect.stringMatching(/enum/) })
  })

  test.skipIf(strips)('native on a Node that cannot strip types is an error that names the way out', () => {
    expect(load('esm/named.ts', 'native').message).toMatch(/cannot load TypeScript by itself; use --ts-loader tsx/)
  })
})

describe('an application that does not load says what was found and what was wanted', () => {
  test.each([
    ['esm/none.ts', 'there is no file'],
    ['esm/named.py', 'there is no file'],
    ['esm', 'is no file; name the file that exports the application'],
    ['esm/readme.txt', 'wanted: a file that ends in .ts'],
    ['esm/others.ts', 'others.ts exports api (an object), fails (function fails), make (function make), makeLater'],
    ['esm/others.ts', 'wanted: an export named application, or a default export'],
    ['esm/single.ts', 'for handle say single.ts:handle'],
    ['esm/others.ts:othr', 'wanted: othr; did you mean other?'],
    ['esm/others.ts:api.none', 'wanted: api.none'],
    ['esm/others.ts:some thing', 'is no export; wanted: name, name.member or name()'],
    ['esm/others.ts:api()', 'api() was asked for, but api is an object'],
    ['esm/others.ts:nothing()', 'nothing() returned undefined'],
    ['esm/others.ts:fails()', 'fails() failed: no database'],
    ['esm/empty.ts', 'empty.ts exports nothing'],
    ['commonjs/nothing.js', 'nothing.js exports nothing; wanted: an export named application, or a default export'],
    ['commonjs/guarded.js', 'what it does only as the main module (require.main) is not done here'],
    ['esm/guarded.mjs', 'what it does only as the main module (process.argv[1]) is not done here'],
    ['esm/throws.ts', 'throws.ts could not be loaded: no configuration'],
    ['esm/type-error.ts', 'type-error.ts could not be loaded: Cannot read properties of undefined'],
    ['esm/throws-a-string.ts', 'throws-a-string.ts could not be loaded: "'],
    ['esm/missing-package.ts', 'none-such-package'],
  ])('%s: %s', (spec, message) => {
    const report = load(spec)
    expect(report.code).toBe('TSGI_LOAD')
    expect(`${report.message} ${report.stack}`).toContain(message)
  })

  test('a file with another extension is offered', () => {
    expect(load('esm/plain.ts').message).toMatch(/did you mean .*plain\.js\?/)
  })

  test.each(['auto', 'tsx'])('the stack names line and column of the source (%s)', (tsLoader) => {
    expect(load('esm/throws.ts', tsLoader).stack).toMatch(/throws\.ts(?:\?tsx)?:7:9/)
  })

  test('a syntax error names the file and the line', () => {
    const { code, message, stack } = load('esm/syntax.ts')
    expect(code).toBe('TSGI_LOAD')
    expect(`${message} ${stack}`).toMatch(/syntax\.ts(?:\?tsx)?:3/)
  })

  test.each(['esm/syntax.mjs', 'esm/imports-syntax.mjs'])('a syntax error in JavaScript is located: %s', (file) => {
    const { code, message, stack } = load(file)
    expect(code).toBe('TSGI_LOAD')
    expect(message).toMatch(/ could not be loaded: \/.*\/esm\/syntax\.mjs:3: Unexpected token ';'$/)
    expect(stack).toMatch(/^export const broken = ;\n {22}\^$/m)
  })

  test('of a syntax error in TypeScript, the message tells what it is', () => {
    expect(load('esm/syntax.ts', 'tsx').message).toMatch(/could not be loaded: .*syntax\.ts:3:\d+: ERROR: /)
  })

  test('compiled JavaScript with a source map fails at the line of its source', () => {
    const { stack } = load('esm/compiled.js')
    expect(stack).toMatch(/original\.ts:5:/)
  })
})
