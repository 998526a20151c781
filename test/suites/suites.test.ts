/**
 * The frameworks' own test suites: what passes on node:http passes on tsgi, save what the table lists, and what it lists
 * does differ. TSGI_SUITES=record writes the numbers that docs/frameworks.md shows.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type FetchedSuite, fetchSuite } from './fetch.ts'
import { runSuite } from './run.ts'
import { compare, listed, type Outcomes, passedOf, type SuiteProtocol } from './suite.ts'
import { SUITES } from './suites.ts'

interface Numbers {
  readonly version: string
  readonly onNodeHttp: number
  readonly over: Partial<Record<SuiteProtocol, number>>
}

const RESULTS = join(import.meta.dirname, 'results.json')

describe.each(SUITES)('$name', (suite) => {
  let fetched: FetchedSuite
  let baseline: Outcomes

  beforeAll(async () => {
    fetched = await fetchSuite(suite)
    baseline = await runSuite(suite, fetched, undefined)
  })

  test('passes on node:http, or there is nothing to compare with', () => {
    expect(passedOf(baseline)).toBeGreaterThan(0)
    expect(passedOf(baseline) / baseline.size).toBeGreaterThan(0.9)
  })

  test.each(suite.protocols)('passes on tsgi, over %s', async (protocol) => {
    const served = await runSuite(suite, fetched, protocol)
    const differing = listed(suite, protocol)
    expect(compare(baseline, served, differing).join('\n')).toBe('')
    const passed = passedOf(baseline) - differing.size
    console.log(`${suite.name} ${fetched.version} over ${protocol}: ${passed} of ${passedOf(baseline)}`)
    record(suite.name, fetched.version, passedOf(baseline), protocol, passed)
  })
})

function record(name: string, version: string, onNodeHttp: number, protocol: SuiteProtocol, passed: number): void {
  if (process.env['TSGI_SUITES'] !== 'record') return
  // Written below.
  const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, Numbers>
  results[name] = { version, onNodeHttp, over: { ...results[name]?.over, [protocol]: passed } }
  const inOrder = SUITES.flatMap((suite) =>
    results[suite.name] === undefined ? [] : [[suite.name, results[suite.name]]],
  )
  writeFileSync(RESULTS, `${JSON.stringify(Object.fromEntries(inOrder), undefined, 2)}\n`)
}
