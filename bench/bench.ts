/** The whole run: group after group, each with a table, its verdicts, a JSON file and a picture. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, release } from 'node:os'
import { join, relative } from 'node:path'
import { findCommand } from '../scripts/peers.mjs'
import type { Group } from './contender.ts'
import { fastcgi } from './groups/fastcgi.ts'
import { fetchHandlers } from './groups/fetch.ts'
import { node } from './groups/node.ts'
import { uwsgi } from './groups/uwsgi.ts'
import { measure, type Result } from './measure.ts'
import { plot } from './plot.ts'
import { type GroupName, HELP, readSettings, type Settings } from './settings.ts'
import { table } from './table.ts'
import { judge, type Verdict, verdictLine } from './verdicts.ts'

const GROUPS: Readonly<Record<GroupName, Group>> = { uwsgi, fastcgi, node, fetch: fetchHandlers }

/** @returns the exit code: 2 for arguments that mean nothing, 1 where a contender that this machine has could not run, whatever the figures are */
export async function bench(args: readonly string[]): Promise<number> {
  let settings: Settings | undefined
  try {
    settings = readSettings(args)
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
    return 2
  }
  if (settings === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  if (findCommand('wrk') === undefined) {
    process.stderr.write('bench: there is no wrk on this machine; Debian: apt-get install wrk\n')
    return 1
  }
  let failures = 0
  for (const name of settings.groups) failures += await runGroup(name, GROUPS[name], settings)
  return failures > 0 ? 1 : 0
}

async function runGroup(name: GroupName, group: Group, settings: Settings): Promise<number> {
  const contenders = group.contenders(settings).filter(({ id }) => isWanted(id, settings))
  if (contenders.length === 0) return 0
  process.stdout.write(`\n${group.title}\n${conditions(settings)}\n\n`)
  const results = await measure(contenders, settings, (line) => process.stderr.write(`  ${line}\n`))
  const verdicts = judge(group.figures, results, settings.nodeVersion)
  process.stdout.write(`\n${table(results)}\n\n`)
  for (const verdict of verdicts) process.stdout.write(`${verdictLine(verdict, results)}\n`)
  const failed = results.filter(({ failure }) => failure !== undefined)
  for (const { contender, failure } of failed) process.stderr.write(`\n${contender.label} could not run: ${failure}\n`)
  keep(`${name}-node${Number.parseInt(settings.nodeVersion, 10)}`, group, settings, results, verdicts)
  return failed.length
}

const isWanted = (id: string, { only }: Settings): boolean =>
  only.length === 0 || only.some((part) => id.includes(part))

const conditions = ({ nodeVersion, rounds, seconds, connections }: Settings): string => {
  const processors = cpus()
  return `Node ${nodeVersion}, ${processors.length} x ${processors[0]?.model.trim() ?? arch()}, ${connections} connections, ${rounds} rounds of ${seconds} s`
}

function keep(
  name: string,
  group: Group,
  settings: Settings,
  results: readonly Result[],
  verdicts: readonly Verdict[],
): void {
  const directory = join(import.meta.dirname, 'results')
  mkdirSync(directory, { recursive: true })
  const record = {
    title: group.title,
    time: new Date().toISOString(),
    conditions: {
      node: settings.nodeVersion,
      kernel: release(),
      processors: cpus().map(({ model }) => model),
      connections: settings.connections,
      rounds: settings.rounds,
      seconds: settings.seconds,
    },
    contenders: results.map(({ contender, samples, absent, failure }) => ({
      id: contender.id,
      label: contender.label,
      front: contender.front,
      against: contender.against,
      absent,
      failure,
      samples,
    })),
    figures: verdicts.map(({ figure, measured, met }) => ({ ...figure, measured, met })),
  }
  const path = join(directory, name)
  writeFileSync(`${path}.json`, `${JSON.stringify(record, undefined, 2)}\n`)
  writeFileSync(`${path}.svg`, plot(results, { title: group.title, subtitle: conditions(settings) }))
  process.stdout.write(`\n${relative(process.cwd(), path)}.json and .svg\n`)
}
