/** What `npm run bench -- ...` can be told. */

import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

export const GROUP_NAMES = ['uwsgi', 'fastcgi', 'node', 'fetch', 'websocket'] as const
export type GroupName = (typeof GROUP_NAMES)[number]

export interface Settings {
  readonly groups: readonly GroupName[]
  readonly rounds: number
  /** Of one measurement. */
  readonly seconds: number
  /** Of load on each contender before the first round. */
  readonly warmupSeconds: number
  /** Kept open by the load generator, each with one request in flight. */
  readonly connections: number
  /** Open at the same time in the group `websocket`. */
  readonly webSockets: number
  /** Runs tsgi, node:http and everything else in JavaScript. */
  readonly node: string
  /** Of that Node: `20.20.2`. */
  readonly nodeVersion: string
  /** The built command line of tsgi. */
  readonly tsgi: string
  /** Of another build, measured beside the first. */
  readonly compare: string | undefined
  /** Parts of the names of the contenders to run; empty: all. */
  readonly only: readonly string[]
  /** Where workers of tsgi write CPU profiles. */
  readonly profiles: string | undefined
}

const HELP = `npm run bench -- [GROUP...] [options]

  groups: ${GROUP_NAMES.join(', ')} (default: all)
  npm run bench -- containers [options]: in containers; wants root and Docker (see README.md)

  --rounds N         measurements of each contender, taken in turns (5)
  --seconds S        length of one measurement (3)
  --warmup S         load on each contender before the first (3)
  --connections N    open at the same time (32)
  --websockets N     open at the same time in the group websocket (10000)
  --node PATH        the Node that runs tsgi and its JavaScript peers (this one)
  --only NAME,...    contenders whose name contains one of these
  --build DIR        measure the tsgi built in DIR (dist)
  --compare DIR      and another build beside it
  --cpu-prof DIR     tsgi's workers write CPU profiles there (slower: for finding out, not for figures)
`

/** @returns the exit code of `run`; 2 for arguments that mean nothing; 0 where help was asked for */
export async function withSettings(
  args: readonly string[],
  run: (settings: Settings) => Promise<number>,
): Promise<number> {
  let settings: Settings | undefined
  try {
    settings = readSettings(args)
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
    return 2
  }
  if (settings !== undefined) return run(settings)
  process.stdout.write(HELP)
  return 0
}

/** Whether `--only` lets a contender run. */
export const isWanted = ({ id }: { readonly id: string }, { only }: Settings): boolean =>
  only.length === 0 || only.some((part) => id.includes(part))

/** @returns undefined where help was asked for. @throws TypeError for what nobody can mean */
function readSettings(args: readonly string[]): Settings | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      warmup: { type: 'string', default: '3' },
      connections: { type: 'string', default: '32' },
      websockets: { type: 'string', default: '10000' },
      node: { type: 'string', default: process.execPath },
      only: { type: 'string', default: '' },
      build: { type: 'string', default: join(import.meta.dirname, '..', 'dist') },
      compare: { type: 'string' },
      'cpu-prof': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const node = resolve(values.node)
  const profiles = values['cpu-prof']
  return {
    groups: positionals.length === 0 ? GROUP_NAMES : positionals.map(groupName),
    rounds: count(values.rounds, '--rounds'),
    seconds: count(values.seconds, '--seconds'),
    warmupSeconds: count(values.warmup, '--warmup'),
    connections: count(values.connections, '--connections'),
    webSockets: count(values.websockets, '--websockets'),
    node,
    nodeVersion: execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim(),
    tsgi: commandLine(values.build),
    compare: values.compare === undefined ? undefined : commandLine(values.compare),
    only: values.only.split(',').filter((name) => name !== ''),
    profiles: profiles === undefined ? undefined : resolve(profiles),
  }
}

const commandLine = (build: string): string => resolve(build, 'cli', 'main.js')

function groupName(text: string): GroupName {
  const found = GROUP_NAMES.find((name) => name === text)
  if (found === undefined) throw new TypeError(`there is no group ${text}; there are ${GROUP_NAMES.join(', ')}`)
  return found
}

/** wrk counts whole seconds. */
function count(text: string, flag: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`${flag} wants a whole number from 1, not ${text}`)
  return value
}
