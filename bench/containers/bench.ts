/** `npm run bench -- containers`: tsgi and node:http side by side, in containers, behind the nginx of docker-compose.yml. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { startEngine } from '../../test/docker/support/engine.ts'
import { BASE_IMAGES, provideBaseImages, ROOT } from '../../test/docker/support/stand-ins.ts'
import type { Measured, Sample } from '../measure.ts'
import { HELP, readSettings, type Settings } from '../settings.ts'
import { table } from '../table.ts'
import { CONTENDERS } from './contenders.ts'
import { IMAGES, openStage, type Stage } from './stage.ts'

const TITLE = 'Containers: the same hello world on tsgi and on node:http, behind nginx'

/** @returns the exit code: 2 for arguments that mean nothing, 1 where a contender could not run */
export async function benchContainers(args: readonly string[]): Promise<number> {
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
  const say = (line: string): void => {
    process.stderr.write(`  ${line}\n`)
  }
  const directory = mkdtempSync(join(tmpdir(), 'tsgi-bench-'))
  const engine = await startEngine()
  try {
    say('the Docker engine runs; building images')
    await provideBaseImages(engine)
    await engine.docker(['build', '--quiet', '--target', 'tsgi', '--tag', IMAGES.tsgi, '.'], { cwd: ROOT })
    await engine.docker(['build', '--quiet', '--tag', IMAGES.load, join(import.meta.dirname)])
    const node = await engine.docker([
      'run',
      '--rm',
      '--entrypoint',
      'node',
      IMAGES.tsgi,
      '-p',
      'process.versions.node',
    ])
    const { only } = settings
    const wanted = CONTENDERS.filter(({ id }) => only.length === 0 || only.some((part) => id.includes(part)))
    const stage = await openStage(engine, wanted, directory)
    const results = await measure(stage, settings, say)
    print(results, node.stdout.trim(), settings)
    return results.some(({ failure }) => failure !== undefined) ? 1 : 0
  } finally {
    await engine.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measure(stage: Stage, settings: Settings, say: (line: string) => void): Promise<Measured[]> {
  const { connections, rounds, seconds, warmupSeconds } = settings
  const entries = stage.contenders.map((contender) => ({ contender, samples: [] as Sample[], failure: '' }))
  const attempt = async (entry: (typeof entries)[number], step: () => Promise<unknown>): Promise<void> => {
    if (entry.failure !== '') return
    try {
      await step()
    } catch (error) {
      entry.failure = error instanceof Error ? error.message : String(error)
      say(`${entry.contender.label}: ${entry.failure}`)
    }
  }
  for (const entry of entries) {
    say(`warming up ${entry.contender.label}`)
    await attempt(entry, async () => {
      await stage.ready(entry.contender)
      await stage.load(entry.contender, connections, warmupSeconds)
    })
  }
  for (let round = 1; round <= rounds; round++) {
    for (const entry of entries) {
      await attempt(entry, async () => entry.samples.push(await stage.load(entry.contender, connections, seconds)))
    }
    say(`round ${round} of ${rounds}`)
  }
  return entries.map(({ contender, samples, failure }) =>
    failure === '' ? { contender, samples } : { contender, samples: [], failure },
  )
}

function print(results: readonly Measured[], nodeVersion: string, settings: Settings): void {
  const { connections, rounds, seconds } = settings
  const [processor] = cpus()
  const machine = `Node ${nodeVersion}, ${cpus().length} x ${processor?.model.trim() ?? 'processor'}`
  process.stdout.write(`\n${TITLE}\n${machine}, ${connections} connections, ${rounds} rounds of ${seconds} s\n\n`)
  process.stdout.write(`${table(results)}\n\n`)
  const directory = join(import.meta.dirname, '..', 'results')
  mkdirSync(directory, { recursive: true })
  const path = join(directory, 'containers.json')
  const record = {
    title: TITLE,
    time: new Date().toISOString(),
    conditions: {
      node: nodeVersion,
      images: BASE_IMAGES,
      kernel: release(),
      processors: cpus().map(({ model }) => model),
      connections,
      rounds,
      seconds,
    },
    contenders: results.map(({ contender: { id, label, against }, samples, failure }) => ({
      id,
      label,
      against,
      failure,
      samples,
    })),
  }
  writeFileSync(path, `${JSON.stringify(record, undefined, 2)}\n`)
  process.stdout.write(`${relative(process.cwd(), path)}\n`)
}
