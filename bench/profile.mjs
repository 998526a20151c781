/**
 * Preloaded into tsgi's processes by `--cpu-prof`: the worker's CPU profile, written when it leaves. (Node 20 takes no
 * --cpu-prof from NODE_OPTIONS, and the master starts its workers itself.)
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'

const directory = process.env.BENCH_PROFILES
if (isMainThread && directory !== undefined && /[\\/]worker[\\/]/.test(process.argv[1] ?? '')) {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: 200 })
  session.post('Profiler.start')
  process.on('exit', () => {
    session.post('Profiler.stop', (error, result) => {
      if (error !== null) throw error
      mkdirSync(directory, { recursive: true })
      writeFileSync(
        join(directory, `${process.env.BENCH_CONTENDER}-${process.pid}.cpuprofile`),
        JSON.stringify(result.profile),
      )
    })
  })
}
