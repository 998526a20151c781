/** The dependency rule: who may import whom, read from the imports themselves. */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

/** Every folder may import the files that stand in src/ itself, save index.ts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  '.': [],
  protocol: [],
  gateway: ['protocol'],
  client: ['protocol'],
  options: [],
  metrics: [],
  log: ['gateway'],
  interfaces: ['gateway'],
  middleware: ['gateway'],
  worker: ['protocol', 'gateway', 'interfaces', 'middleware', 'options', 'metrics', 'log'],
  master: ['options', 'metrics', 'log'],
  cli: ['options', 'master', 'log', 'client', 'worker', 'middleware', 'gateway', 'interfaces', 'metrics'],
}

/** Sans-IO: a codec or an exchange that could open a file or a socket would be tested with one. */
const NO_NODE = ['protocol', 'gateway']

const MAX_LINES = 400

/**
 * What every process starts with. A package more is time in each start and memory in each worker: load what few need where they
 * do, and of zod the form that does not bring its messages in 50 languages (95 files, 10 MB). Import statements only.
 */
const STARTS_WITH: Readonly<Record<string, readonly string[]>> = {
  'cli/main.ts': ['commander', 'msgpackr', 'zod/v3'],
  'master/main.ts': ['msgpackr', 'pino', 'zod/v3'],
  'worker/main.ts': ['msgpackr', 'pino', 'zod/v3'],
}

interface SourceFile {
  readonly path: string
  readonly folder: string
  readonly text: string
  readonly imports: readonly string[]
  /** Those that do more than name types. */
  readonly loads: readonly string[]
}

function sources(): SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readFileSync(join(SRC, path), 'utf8')
      const imports = [...text.matchAll(/^(?:import|export)\b[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm)]
      const specifierOf = ([, from, bare]: RegExpExecArray): string => from ?? bare ?? ''
      return {
        path,
        folder: folderOf(path),
        text,
        imports: imports.map(specifierOf),
        loads: imports.filter(([statement]) => !/^\w+ type\b/.test(statement)).map(specifierOf),
      }
    })
}

const folderOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] ?? '') : '.')

const FILES = sources()

type Targets = ReadonlyMap<string, readonly string[]>

/** By file: the files of src/ among these imports of it. */
const targetsOf = (imports: (file: SourceFile) => readonly string[]): Targets =>
  new Map(
    FILES.map((file) => [
      file.path,
      imports(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => relative(SRC, resolve(SRC, dirname(file.path), specifier))),
    ]),
  )

const TARGETS = targetsOf(({ imports }) => imports)
const LOADED = targetsOf(({ loads }) => loads)

test('there are sources to look at', () => {
  expect(FILES.length).toBeGreaterThan(50)
  expect(new Set(FILES.map(({ folder }) => folder))).toEqual(new Set(Object.keys(MAY_IMPORT)))
})

test.each(Object.keys(MAY_IMPORT).filter((folder) => folder !== '.'))(
  '%s imports only what stands below it',
  (folder) => {
    const breaches = FILES.filter((file) => file.folder === folder).flatMap((file) =>
      (TARGETS.get(file.path) ?? [])
        .filter((target) => target === 'index.ts' || !isAllowed(folder, folderOf(target)))
        .map((target) => `${file.path} imports ${target}`),
    )
    expect(breaches).toEqual([])
  },
)

function isAllowed(from: string, to: string): boolean {
  return from === to || to === '.' || MAY_IMPORT[from]?.includes(to) === true
}

test('the master cannot parse a request even by accident: nothing it reaches could', () => {
  const reached = new Set(reachableFrom('master/main.ts', TARGETS))
  expect(reached.size).toBeGreaterThan(20)
  const parsers = [...reached].filter((path) =>
    ['protocol', 'gateway', 'interfaces', 'worker'].includes(folderOf(path)),
  )
  expect(parsers).toEqual([])
})

function reachableFrom(start: string, targets: Targets): string[] {
  const reached = new Set<string>()
  const waiting = [start]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    waiting.push(...(targets.get(path) ?? []))
  }
  return [...reached]
}

test.each(Object.entries(STARTS_WITH))('%s starts with no package but %s', (start, packages) => {
  const loaded = new Set(reachableFrom(start, LOADED))
  const found = FILES.filter(({ path }) => loaded.has(path))
    .flatMap(({ loads }) => loads)
    .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
  expect([...new Set(found)].sort()).toEqual(packages)
})

test.each(NO_NODE)('%s imports no module of node', (folder) => {
  const breaches = FILES.filter((file) => file.folder === folder)
    .filter(({ imports }) => imports.some((specifier) => specifier.startsWith('node:')))
    .map(({ path }) => path)
  expect(breaches).toEqual([])
})

test('a worker is reached only by being started, a master only through its own face', () => {
  const breaches = FILES.filter(({ imports }) => imports.some((specifier) => specifier.endsWith('worker/main.ts')))
  expect(breaches.map(({ path }) => path)).toEqual([])
})

test(`no file is longer than ${MAX_LINES} lines: past that it has two jobs`, () => {
  const long = FILES.filter(({ text }) => text.split('\n').length - 1 > MAX_LINES).map(({ path }) => path)
  expect(long).toEqual([])
})

test('what a file exports is named by another one', () => {
  const root = resolve(SRC, '..')
  const elsewhere = ['test', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(?:ts|mts|mjs)$/.test(path))
      .map((path) => readFileSync(join(root, folder, path), 'utf8')),
  )
  const words = new Map<string, number>()
  for (const text of [...FILES.map((file) => file.text), ...elsewhere]) {
    for (const word of new Set(text.match(/\w+/g))) words.set(word, (words.get(word) ?? 0) + 1)
  }
  const exported = /^export (?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm
  const unused = FILES.flatMap(({ path, text }) =>
    [...text.matchAll(exported)].filter(([, name = '']) => words.get(name) === 1).map(([, name]) => `${path}: ${name}`),
  )
  expect(unused).toEqual([])
})

test('files do not import each other in a circle', () => {
  const circles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const target of TARGETS.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of TARGETS.keys()) visit(path, [])
  expect(circles).toEqual([])
})

test('docs/contributing.md shows the house as it stands', () => {
  const page = readFileSync(resolve(SRC, '../docs/contributing.md'), 'utf8')
  const cells = (heading: string): string[] => {
    const [, rows = ''] = page.split(`| ${heading} | what it is |\n| --- | --- |\n`)
    const table = rows.slice(0, rows.indexOf('\n\n'))
    return table
      .split('\n')
      .flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
  }
  expect(new Set(['.', ...cells('folder')])).toEqual(new Set(Object.keys(MAY_IMPORT)))
  expect(cells('file in `gateway`').length).toBeGreaterThan(5)
  for (const name of cells('file in `gateway`')) expect(TARGETS.has(`gateway/${name}.ts`), name).toBe(true)
})
