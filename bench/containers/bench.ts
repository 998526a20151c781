/** `npm run bench -- containers`: tsgi and node:http side by side, in containers, behind the nginx of docker-compose.yml. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEngine } from '../../test/docker/support/engine.ts'
import { BASE_IMAGES, provideBaseImages, ROOT } from '../../test/docker/support/stand-ins.ts'
import type { Measured, Sample } from '../measure.ts'
import { heading, loadConditions, reportFailures, writeResult } from '../record.ts'
import { isWanted, type Settings, withSettings } from '../settings.ts'
import { table } from '../table.ts'
import { type Entry, inTurns } from '../turns.ts'
import { CONTENDERS, type ContainedContender } from './contenders.ts'
import { IMAGES, openStage, type Stage } from './stage.ts'

const TITLE = 'Containers: the same hello world on tsgi and on node:http, behind nginx'

/** @returns the exit code: 2 for arguments that mean nothing, 1 where a contender could not run */
export const benchContainers = (args: readonly string[]): Promise<number> => withSettings(args, runContainers)

async function runContainers(settings: Settings): Promise<number> {
  const wanted = CONTENDERS.filter((contender) => isWanted(contender, settings))
  if (wanted.length === 0) return 0
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
    const node = ['--entrypoint', 'node', IMAGES.tsgi, '-p', 'process.versions.node']
    const { stdout: nodeVersion } = await engine.docker(['run', '--rm', ...node])
    const results = await measure(await openStage(engine, wanted, directory), settings, say)
    return report(results, { ...settings, nodeVersion: nodeVersion.trim() }) > 0 ? 1 : 0
  } finally {
    await engine.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

function measure(stage: Stage, settings: Settings, say: (line: string) => void): Promise<Measured[]> {
  const { connections, rounds, seconds, warmupSeconds } = settings
  const entries = stage.contenders.map((contender): Entry<ContainedContender, Sample> => ({ contender, samples: [] }))
  return inTurns(entries, {
    rounds,
    warmUp: async ({ contender }) => {
      await stage.ready(contender)
      await stage.load(contender, connections, warmupSeconds)
    },
    sample: ({ contender }) => stage.load(contender, connections, seconds),
    say,
  })
}

/** @returns how many failed */
function report(results: readonly Measured[], settings: Settings): number {
  process.stdout.write(`\n${TITLE}\n${loadConditions(settings)}\n\n${table(results)}\n\n`)
  const failures = reportFailures(results)
  const { conditions, ...rest } = heading(TITLE, settings)
  const path = writeResult('containers', {
    ...rest,
    conditions: { ...conditions, images: BASE_IMAGES },
    contenders: results.map(({ contender: { id, label, against }, samples, failure }) => ({
      id,
      label,
      against,
      failure,
      samples,
    })),
  })
  process.stdout.write(`${path}\n`)
  return failures
}
