/** The whole run: group after group, each with a table, its verdicts, a JSON file and a picture. */

import { writeFileSync } from 'node:fs'
import { findCommand } from '../scripts/peers.mjs'
import type { Group } from './contender.ts'
import { fastcgi } from './groups/fastcgi.ts'
import { fetchHandlers } from './groups/fetch.ts'
import { node } from './groups/node.ts'
import { uwsgi } from './groups/uwsgi.ts'
import { websocket } from './groups/websocket.ts'
import { connectionLimit } from './idle-sockets.ts'
import { measure, type Result } from './measure.ts'
import { plot } from './plot.ts'
import { heading, loadConditions, machine, reportFailures, writeResult } from './record.ts'
import { type GroupName, isWanted, type Settings, withSettings } from './settings.ts'
import { table } from './table.ts'
import { judge, type Verdict, verdictLine } from './verdicts.ts'
import { beyond, measureSockets, memoryVerdict, type SocketGroup, socketTable } from './websocket.ts'

const GROUPS: Readonly<Record<GroupName, Group | SocketGroup>> = {
  uwsgi,
  fastcgi,
  node,
  fetch: fetchHandlers,
  websocket,
}

/** Its contenders are asked for memory, not for speed. */
const isSocketGroup = (group: Group | SocketGroup): group is SocketGroup => Array.isArray(group.contenders)

/** @returns the exit code: 2 for arguments that mean nothing, 1 where a contender that this machine has could not run, whatever the figures are */
export const bench = (args: readonly string[]): Promise<number> => withSettings(args, runGroups)

async function runGroups(settings: Settings): Promise<number> {
  if (settings.groups.some((name) => !isSocketGroup(GROUPS[name])) && findCommand('wrk') === undefined) {
    process.stderr.write('bench: there is no wrk on this machine; Debian: apt-get install wrk\n')
    return 1
  }
  let failures = 0
  for (const name of settings.groups) {
    const group = GROUPS[name]
    failures += isSocketGroup(group)
      ? await runSocketGroup(name, group, settings)
      : await runGroup(name, group, settings)
  }
  return failures > 0 ? 1 : 0
}

async function runGroup(name: GroupName, group: Group, settings: Settings): Promise<number> {
  const contenders = group.contenders(settings).filter((contender) => isWanted(contender, settings))
  if (contenders.length === 0) return 0
  process.stdout.write(`\n${group.title}\n${loadConditions(settings)}\n\n`)
  const results = await measure(contenders, settings, (line) => process.stderr.write(`  ${line}\n`))
  const verdicts = judge(group.figures, results, settings.nodeVersion)
  process.stdout.write(`\n${table(results)}\n\n`)
  for (const verdict of verdicts) process.stdout.write(`${verdictLine(verdict, results)}\n`)
  const failures = reportFailures(results)
  keep(resultName(name, settings), group, settings, results, verdicts)
  return failures
}

async function runSocketGroup(name: GroupName, group: SocketGroup, settings: Settings): Promise<number> {
  const contenders = group.contenders.filter((contender) => isWanted(contender, settings))
  if (contenders.length === 0) return 0
  const count = Math.min(settings.webSockets, connectionLimit())
  process.stdout.write(`\n${group.title}\n${machine(settings)}, ${count} WebSockets, ${settings.rounds} rounds\n\n`)
  if (count < settings.webSockets) {
    process.stderr.write(
      `bench: not ${settings.webSockets}: the hard limit on open files (ulimit -Hn) allows ${count}\n`,
    )
  }
  const results = await measureSockets(contenders, count, settings, (line) => process.stderr.write(`  ${line}\n`))
  process.stdout.write(`\n${socketTable(results)}\n\n`)
  for (const figure of group.figures) process.stdout.write(`${memoryVerdict(figure, results)}\n`)
  const failures = reportFailures(results)
  const record = {
    ...heading(group.title, settings),
    webSockets: count,
    contenders: results.map(({ contender: { id, label, against }, samples, failure }) => ({
      id,
      label,
      against,
      failure,
      bytesEach: samples,
    })),
    figures: group.figures.map((figure) => ({
      ...figure,
      measuredBytes: beyond(results, figure.subject, figure.against)?.median,
    })),
  }
  process.stdout.write(`\n${writeResult(resultName(name, settings), record)}\n`)
  return failures
}

const resultName = (group: GroupName, { nodeVersion }: Settings): string =>
  `${group}-node${Number.parseInt(nodeVersion, 10)}`

function keep(
  name: string,
  group: Group,
  settings: Settings,
  results: readonly Result[],
  verdicts: readonly Verdict[],
): void {
  const record = {
    ...heading(group.title, settings),
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
  const path = writeResult(name, record)
  writeFileSync(path.replace(/json$/, 'svg'), plot(results, { title: group.title, subtitle: loadConditions(settings) }))
  process.stdout.write(`\n${path} and .svg\n`)
}
