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
import { websocket } from './groups/websocket.ts'
import { connectionLimit } from './idle-sockets.ts'
import { measure, type Result } from './measure.ts'
import { plot } from './plot.ts'
import { type GroupName, HELP, readSettings, type Settings } from './settings.ts'
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
  const contenders = group.contenders(settings).filter(({ id }) => isWanted(id, settings))
  if (contenders.length === 0) return 0
  process.stdout.write(`\n${group.title}\n${conditions(settings)}\n\n`)
  const results = await measure(contenders, settings, (line) => process.stderr.write(`  ${line}\n`))
  const verdicts = judge(group.figures, results, settings.nodeVersion)
  process.stdout.write(`\n${table(results)}\n\n`)
  for (const verdict of verdicts) process.stdout.write(`${verdictLine(verdict, results)}\n`)
  const failed = results.filter(({ failure }) => failure !== undefined)
  for (const { contender, failure } of failed) process.stderr.write(`\n${contender.label} could not run: ${failure}\n`)
  keep(resultName(name, settings), group, settings, results, verdicts)
  return failed.length
}

async function runSocketGroup(name: GroupName, group: SocketGroup, settings: Settings): Promise<number> {
  const contenders = group.contenders.filter(({ id }) => isWanted(id, settings))
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
  const failed = results.filter(({ failure }) => failure !== undefined)
  for (const { contender, failure } of failed) process.stderr.write(`\n${contender.label} could not run: ${failure}\n`)
  const record = {
    ...heading(group, settings),
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
  process.stdout.write(`\n${relative(process.cwd(), writeResult(resultName(name, settings), record))}\n`)
  return failed.length
}

const isWanted = (id: string, { only }: Settings): boolean =>
  only.length === 0 || only.some((part) => id.includes(part))

const machine = ({ nodeVersion }: Settings): string => {
  const processors = cpus()
  return `Node ${nodeVersion}, ${processors.length} x ${processors[0]?.model.trim() ?? arch()}`
}

const conditions = (settings: Settings): string =>
  `${machine(settings)}, ${settings.connections} connections, ${settings.rounds} rounds of ${settings.seconds} s`

const resultName = (group: GroupName, { nodeVersion }: Settings): string =>
  `${group}-node${Number.parseInt(nodeVersion, 10)}`

const heading = ({ title }: { readonly title: string }, settings: Settings) => ({
  title,
  time: new Date().toISOString(),
  conditions: {
    node: settings.nodeVersion,
    kernel: release(),
    processors: cpus().map(({ model }) => model),
    connections: settings.connections,
    rounds: settings.rounds,
    seconds: settings.seconds,
  },
})

/** @returns the path of the file */
function writeResult(name: string, record: object): string {
  const directory = join(import.meta.dirname, 'results')
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `${name}.json`)
  writeFileSync(path, `${JSON.stringify(record, undefined, 2)}\n`)
  return path
}

function keep(
  name: string,
  group: Group,
  settings: Settings,
  results: readonly Result[],
  verdicts: readonly Verdict[],
): void {
  const record = {
    ...heading(group, settings),
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
  writeFileSync(path.replace(/json$/, 'svg'), plot(results, { title: group.title, subtitle: conditions(settings) }))
  process.stdout.write(`\n${relative(process.cwd(), path)} and .svg\n`)
}
