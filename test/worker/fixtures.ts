/** Applications of every kind, as text: some are wrong on purpose, and none may be compiled or checked with the tests. */
/** A line of JavaScript with a source map that says where it came from. */
function compiled(source: string, line: number): string {
  // Base 64 VLQ: column 0, source 0, so many lines down (doubled: the lowest bit is the sign), column 0.
  const mappings = `AA${'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[(line - 1) * 2]}A`
  const map = JSON.stringify({ version: 3, sources: [source], names: [], mappings })
  // Cut in two, lest the tests' own transformer takes it for its own.
  const comment = ['//# source', 'MappingURL='].join('')
  return `throw new Error('from the source')\n${comment}data:application/json;base64,${Buffer.from(map).toString('base64')}\n`
}

export const FIXTURES: Readonly<Record<string, string>> = {
  'commonjs/assigned.cjs': `module.exports = () => 'ok'
`,
  'commonjs/nothing.js': `const served = () => 'ok'
`,
  'commonjs/guarded.js': `if (require.main === module) require('node:http').createServer(() => undefined).listen(3000)
`,
  'commonjs/export-equals.cts': `const handle = (): string => 'ok'
export = handle
`,
  'commonjs/members.js': `const parts = { application: () => 'ok' }
module.exports = parts
`,
  'commonjs/named.ts': `const word: string = 'ok'
export const application = (): string => word
`,
  'commonjs/package.json': `{ "type": "commonjs" }
`,
  'esm/await.ts': `const word: string = await Promise.resolve('ok')
export const application = (): string => word
`,
  'esm/both.ts': `export const application = (): string => 'ok'
export default (): string => 'the default'
`,
  'esm/compiled.js': compiled('esm/original.ts', 5),
  'esm/decorator.ts': `function named(target: new () => object): void {
  Object.defineProperty(target, 'word', { value: 'ok' })
}

@named
class Handler {
  declare static readonly word: string
}

export const application = (): string => Handler.word
`,
  'esm/default.ts': `export default (): string => 'ok'
`,
  'esm/empty.ts': `export {}
`,
  'esm/guarded.mjs': `import http from 'node:http'
import { pathToFileURL } from 'node:url'
if (import.meta.url === pathToFileURL(process.argv[1]).href) http.createServer(() => undefined).listen(3000)
`,
  'esm/enum.ts': `import { Word } from './parts/word-enum.ts'

export const application = (): string => Word.Ok
`,
  'esm/enum-shared.ts': `import { word } from './parts/uses-enum.ts'
import { Word } from './parts/word-enum.ts'
import { plain } from './parts/plain-enum.js'
import data from './parts/data.json' with { type: 'json' }

const { late } = await import('./parts/late.ts')

export const application = (): string => (word === Word.Ok && plain === word && late === word ? data.word : 'not')
`,
  'esm/parts/data.json': `{ "word": "ok" }
`,
  'esm/parts/late.ts': `import { Word } from './word-enum.ts'

export const late: string = Word.Ok
`,
  'esm/parts/plain-enum.js': `import { Word } from './word-enum.ts'

export const plain = Word.Ok
`,
  'esm/parts/uses-enum.ts': `import { Word } from './word-enum.ts'

export const word: string = Word.Ok
`,
  'esm/paths-shared.ts': `import { word } from './parts/uses-paths.ts'
import { word as same } from '@parts/word.ts'

export const application = (): string => (word === same.text ? word : 'not')
`,
  'esm/parts/uses-paths.ts': `import { word as imported } from '@parts/word.ts'

export const word: string = imported.text
`,
  'esm/extensionless.ts': `import { word } from './parts/word'

export const application = (): string => word.text
`,
  'esm/js-extension.ts': `import { word } from './parts/word.js'

export const application = (): string => word.text
`,
  'esm/listens.ts': `Object.assign(globalThis, { listened: true })
`,
  'esm/missing-package.ts': `import { word } from 'none-such-package'

export const application = (): string => word
`,
  'esm/named.cts': `const word: string = 'ok'
exports.application = (): string => word
`,
  'esm/named.mjs': `export const application = () => 'ok'
`,
  'esm/named.mts': `const word: string = 'ok'
export const application = (): string => word
`,
  'esm/named.ts': `const word: string = 'ok'
export const application = (): string => word
`,
  'esm/others.ts': `export const other = (): string => 'ok'
export const api = {
  word: 'ok',
  handlers: { main: (): string => 'ok' },
  make(): () => string {
    return () => this.word
  },
}
export const make = (): (() => string) => other
export const makeLater = async (): Promise<() => string> => other
export const nothing = (): void => undefined
export const fails = (): never => {
  throw new Error('no database')
}
`,
  'esm/package.json': `{ "type": "module" }
`,
  'esm/parameter-property.ts': `class Handler {
  constructor(readonly word: string) {}
}

export const application = (): string => new Handler('ok').word
`,
  'esm/paths.ts': `import { word } from '@parts/word.ts'

export const application = (): string => word.text
`,
  'esm/plain.js': `export const application = () => 'ok'
`,
  'esm/promise.ts': `export default Promise.resolve((): string => 'ok')
`,
  'esm/readme.txt': `readme
`,
  'esm/single.ts': `export const handle = (): string => 'ok'
`,
  'esm/imports-syntax.mjs': `import './syntax.mjs'
`,
  'esm/syntax.mjs': `export const application = () => 'ok'

export const broken = ;
`,
  'esm/syntax.ts': `export const application = (): string => 'ok'

const = 1
`,
  'esm/throws-a-string.ts': `throw 'a string'
`,
  'esm/throws.ts': `interface Configuration {
  readonly word: string
}

function configuration(): Configuration {
  // The line and the column of the next statement are what the test looks for.
  throw new Error('no configuration')
}

export const application = (): string => configuration().word
configuration()
`,
  'esm/tsconfig.json': `{ "compilerOptions": { "paths": { "@parts/*": ["./parts/*"] } } }
`,
  'esm/type-error.ts': `const settings: Record<string, { word: string }> = {}
const word: string = settings['none'].word
export const application = (): string => word
`,
  'esm/type-import.ts': `import { Word, word } from './parts/word.ts'

const chosen: Word = word
export const application = (): string => chosen.text
`,
  'esm/parts/word-enum.ts': `export enum Word {
  Ok = 'ok',
}
`,
  'esm/parts/word.ts': `export interface Word {
  readonly text: string
}
export const word: Word = { text: 'ok' }
`,
  'typeless/await-extensionless.ts': `import { word } from './parts/word'

const text = await Promise.resolve(word.text)
export const application = (): string => text
`,
  'typeless/await.ts': `const word: string = await Promise.resolve('ok')
export const application = (): string => word
`,
  'typeless/default.ts': `export default (): string => 'ok'
`,
  'typeless/named.ts': `const word: string = 'ok'
export const application = (): string => word
`,
  'typeless/package.json': `{ "private": true }
`,
  'typeless/tsconfig.json': `{ "compilerOptions": { "paths": { "@parts/*": ["./parts/*"] } } }
`,
  'typeless/paths.ts': `import { word } from '@parts/word'

export const application = (): string => word.text
`,
  'typeless/plain.js': `exports.application = () => 'ok'
`,
  'typeless/parts/word.ts': `export interface Word {
  readonly text: string
}
export const word: Word = { text: 'ok' }
`,
}
