/** One run of a suite by its own runner, on node:http or on tsgi, as outcomes by name. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FetchedSuite } from './fetch.ts'
import type { Outcome, Outcomes, Suite, SuiteProtocol } from './suite.ts'

const served = (file: string): string => join(import.meta.dirname, 'served', file)

const MOCHA_LIMIT_MS = 300_000
/** A failed test may leave something open that keeps its process alive. */
const FILE_LIMIT_MS = 45_000
/** Of a single test of node:test: those that wait for what never comes end here. */
const TEST_LIMIT_MS = 5_000

/** @param protocol undefined: on node:http */
export async function runSuite(
  suite: Suite,
  { folder, modules }: FetchedSuite,
  protocol: SuiteProtocol | undefined,
): Promise<Outcomes> {
  const temporary = mkdtempSync(join(tmpdir(), 'tsgi-suite-'))
  const replaced = protocol === undefined ? [] : ['--import', pathToFileURL(served('replace.mjs')).href]
  const environment = { ...process.env, ...(protocol === undefined ? {} : { TSGI_SUITE_PROTOCOL: protocol }) }
  // What vitest sets for itself is none of theirs.
  for (const name of ['NODE_ENV', 'VITEST', 'VITEST_MODE', 'TEST', 'NODE_OPTIONS'])
    Reflect.deleteProperty(environment, name)
  const node = (parameters: readonly string[], results: string, limitMs: number): Promise<void> =>
    runNode([...replaced, ...parameters], folder, { ...environment, TSGI_SUITE_RESULTS: results }, limitMs)
  try {
    if (suite.runner.kind === 'mocha') {
      const mocha = join(modules, 'mocha', 'bin', '_mocha')
      const parameters = ['--exit', '--reporter', served('mocha-reporter.cjs'), ...suite.runner.parameters]
      await node([mocha, ...parameters], join(temporary, 'mocha'), MOCHA_LIMIT_MS)
    } else {
      const files = listeningFiles(folder)
      const next = async (): Promise<void> => {
        for (let file = files.pop(); file !== undefined; file = files.pop()) {
          const results = join(temporary, file.replaceAll('/', '_'))
          const reporter = `--test-reporter=${pathToFileURL(served('node-test-reporter.mjs')).href}`
          await node([`--test-timeout=${TEST_LIMIT_MS}`, reporter, file], results, FILE_LIMIT_MS)
        }
      }
      await Promise.all(Array.from({ length: availableParallelism() }, next))
    }
    return readOutcomes(temporary)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** The others have nothing to do with a server. */
function listeningFiles(folder: string): string[] {
  return readdirSync(join(folder, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.test\.m?js$/.test(file))
    .map((file) => join('test', file))
    .filter((file) => /\blisten\b/.test(readFileSync(join(folder, file), 'utf8')))
    .sort()
}

async function runNode(
  parameters: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  limitMs: number,
): Promise<void> {
  const child = spawn(process.execPath, parameters, { cwd, env, stdio: 'ignore' })
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  // How it ended does not matter: what it did not report did not pass.
  await once(child, 'exit')
  clearTimeout(timer)
}

function readOutcomes(folder: string): Outcomes {
  const outcomes = new Map<string, Outcome>()
  const seen = new Map<string, number>()
  for (const file of readdirSync(folder).sort()) {
    const path = join(folder, file)
    if (!existsSync(path)) continue
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const result = parseLine(line)
      if (result === undefined) continue
      const times = (seen.get(result.id) ?? 0) + 1
      seen.set(result.id, times)
      outcomes.set(times === 1 ? result.id : `${result.id} (${times})`, result)
    }
  }
  return outcomes
}

interface Result extends Outcome {
  readonly id: string
}

/** Undefined for an empty line, and for one that a kill cut short. */
function parseLine(line: string): Result | undefined {
  if (!line.endsWith('}')) return undefined
  // Written by one of the two reporters beside this file.
  return JSON.parse(line) as Result
}
