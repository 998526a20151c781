import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { generatePages } from '../scripts/generate-docs.mjs'
import { OPTION_LIST } from '../src/options/option-list.ts'
import { setup } from './support/build-setup.ts'

const root = join(import.meta.dirname, '..')

beforeAll(setup)

test('the generated pages say what the tables say; if not: npm run build && npm run docs', async () => {
  for (const [path, text] of Object.entries(await generatePages())) {
    expect(readFileSync(join(root, path), 'utf8'), path).toBe(text)
  }
})

test('a generated page says so in its first line', async () => {
  for (const text of Object.values(await generatePages()))
    expect(text).toMatch(/^<!-- Made from (?:src|test)\/.* do not edit. -->\n/)
})

describe('every option is read by what it is for', () => {
  const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && path !== join('options', 'table.ts') && !path.startsWith(`cli${sep}init`))
    .map((path) => readFileSync(join(root, 'src', path), 'utf8'))
    .join('\n')
    // Comments read nothing.
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')

  test.each(OPTION_LIST.map((option) => option.key))('%s', (key) => {
    const ways = [
      // options.workers, optionsOf(boot).workers
      `[oO]ptions(?:\\([^()]*\\))?\\??\\.${key}\\b`,
      // const { logLevel, logFormat } = options
      `\\{[^{}]*\\b${key}\\b[^{}]*\\}\\s*=[^\\n]*[oO]ptions`,
      // for (const key of ['uwsgi', 'fastcgi'] as const)
      `\\['uwsgi'[^\\]]*'${key}'|\\['${key}', '`,
      `flags\\.get\\('${key}'\\)`,
    ]
    expect(ways.some((way) => new RegExp(way).test(source))).toBe(true)
  })
})
