/** docs/deployment.md is written by hand: what it names must exist. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CONTROL_COMMANDS } from '../src/master/control-messages.ts'
import { OPTION_LIST } from '../src/options/option-list.ts'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs', 'deployment.md'), 'utf8')
const flags = new Set<string>(OPTION_LIST.map(({ flag }) => flag))

/** The second cells of the tables under "From ...", and the flags that the other sections give to tsgi. */
const replacements = page
  .slice(page.indexOf('## From uWSGI'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| --'))
  .map((line) => line.split(' | ').at(1) ?? '')

describe('docs/deployment.md', () => {
  test('replaces options of other servers by options that there are', () => {
    const named = replacements.flatMap((cell) => cell.match(/--[a-z][a-z-]*/g) ?? [])
    expect(named.length).toBeGreaterThan(30)
    expect(named.filter((flag) => !flags.has(flag))).toEqual([])
  })

  test('names control commands that there are', () => {
    const named = [...page.matchAll(/`tsgi ctl ([a-z-]+)/g)].map(([, command]) => command ?? '')
    expect(named.length).toBeGreaterThan(2)
    expect(named.filter((command) => !(command in CONTROL_COMMANDS))).toEqual([])
  })

  test('says the defaults of today', () => {
    const defaults = new Map(OPTION_LIST.map((row): [string, unknown] => [row.flag, row.default]))
    const section = page.slice(page.indexOf('## Numbers that belong together'), page.indexOf('## Retries'))
    const said = [...section.matchAll(/\| `(--[a-z-]+)` (\d+[km]?) \|/g)]
    expect(said.length).toBeGreaterThan(3)
    for (const [, flag = '', value = ''] of said) expect(`${flag} ${defaults.get(flag)}`).toBe(`${flag} ${value}`)
  })

  test('names files that are there', () => {
    const named = [...page.matchAll(/`((?:nginx|apache|examples|deploy)\/[\w./-]+\.\w+)`/g)].map(
      ([, path]) => path ?? '',
    )
    expect(named.length).toBeGreaterThan(5)
    const places = ['', 'examples/site']
    expect(named.filter((path) => !places.some((place) => existsSync(join(root, place, path))))).toEqual([])
  })
})
