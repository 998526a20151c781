/** What a suite is: where it comes from, how it is run, and what it may see differently on tsgi. */

export type SuiteProtocol = 'fastcgi' | 'uwsgi'

export type Source =
  /** A Debian source package: the newest version of it that begins with `version`. */
  | { readonly kind: 'debian'; readonly package: string; readonly version: string }
  /** An npm package whose tarball has the suite in it. */
  | { readonly kind: 'npm'; readonly package: string; readonly version: string }

export interface Suite {
  /** `Express 5`; also the folder that it is fetched into, in lower case. */
  readonly name: string
  readonly source: Source
  /** `mocha`: in one process, with these arguments. `node:test`: each file that makes a server listen in a process of its own. */
  readonly runner: { readonly kind: 'mocha'; readonly parameters: readonly string[] } | { readonly kind: 'node:test' }
  /** Of its devDependencies: what the tests themselves do not need. */
  readonly without: RegExp
  readonly protocols: readonly SuiteProtocol[]
  /** By the reason: what passes on node:http and does not on tsgi. */
  readonly differences: readonly Difference[]
}

export interface Difference {
  readonly why: string
  /** As the runner names them: `file > group > test`. */
  readonly tests: readonly string[]
  /** The only protocol over which they differ. */
  readonly over?: SuiteProtocol
}

export interface Outcome {
  readonly passed: boolean
  readonly error: string | undefined
}

/** By `file > group > test`; where several have the same name, ` (2)` and so on behind it. */
export type Outcomes = ReadonlyMap<string, Outcome>

/** The tests that may differ over a protocol. */
export function listed(suite: Suite, protocol: SuiteProtocol): ReadonlySet<string> {
  const differences = suite.differences.filter(({ over }) => over === undefined || over === protocol)
  return new Set(differences.flatMap(({ tests }) => tests))
}

export const passedOf = (outcomes: Outcomes): number => [...outcomes.values()].filter(({ passed }) => passed).length

/** What is not as it should be: one line for each test. */
export function compare(baseline: Outcomes, served: Outcomes, differing: ReadonlySet<string>): string[] {
  const problems: string[] = []
  for (const [id, { passed }] of baseline) {
    const here = served.get(id)
    if (!passed || here?.passed === true) continue
    if (!differing.has(id)) problems.push(`fails on tsgi only: ${id}\n    ${here?.error ?? 'it did not run'}`)
  }
  for (const id of differing) {
    if (baseline.get(id)?.passed !== true) problems.push(`listed, but does not pass on node:http: ${id}`)
    else if (served.get(id)?.passed === true) problems.push(`listed, but passes on tsgi: ${id}`)
  }
  return problems
}
