/** What a run says of itself: the conditions, who could not run, and a file with the samples. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, release } from 'node:os'
import { join, relative } from 'node:path'
import type { Settings } from './settings.ts'
import type { Outcome } from './turns.ts'

/** `Node 20.20.2, 2 x AMD EPYC` */
export const machine = ({ nodeVersion }: Settings): string => {
  const processors = cpus()
  return `Node ${nodeVersion}, ${processors.length} x ${processors[0]?.model.trim() ?? arch()}`
}

export const loadConditions = (settings: Settings): string =>
  `${machine(settings)}, ${settings.connections} connections, ${settings.rounds} rounds of ${settings.seconds} s`

/** What a file of results begins with. */
export const heading = (title: string, { nodeVersion, connections, rounds, seconds }: Settings) => ({
  title,
  time: new Date().toISOString(),
  conditions: {
    node: nodeVersion,
    kernel: release(),
    processors: cpus().map(({ model }) => model),
    connections,
    rounds,
    seconds,
  },
})

/** @returns how many of them failed, having said why */
export function reportFailures(results: readonly Outcome<{ readonly label: string }, unknown>[]): number {
  const failed = results.filter(({ failure }) => failure !== undefined)
  for (const { contender, failure } of failed) process.stderr.write(`\n${contender.label} could not run: ${failure}\n`)
  return failed.length
}

/** @param name of the file, without `.json`. @returns its path, from the current directory */
export function writeResult(name: string, record: object): string {
  const directory = join(import.meta.dirname, 'results')
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `${name}.json`)
  writeFileSync(path, `${JSON.stringify(record, undefined, 2)}\n`)
  return relative(process.cwd(), path)
}
