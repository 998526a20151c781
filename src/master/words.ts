/** What workers, their ends and spans of time are called in log lines and answers. */

import type { WorkerExit, WorkerView } from './roster.ts'

/** `worker 1 (pid 4711)`; one that is no more has no name. */
export function nameOf(worker: WorkerView | undefined): string {
  return worker === undefined ? 'a worker' : `worker ${worker.slot} (pid ${worker.pid ?? 'none'})`
}

/** `1 worker`, `4 workers`. */
export function workersText(count: number): string {
  return `${count} ${count === 1 ? 'worker' : 'workers'}`
}

/** Why a worker is no more, in the words of a log line. */
export function describeExit(worker: WorkerView, exit: WorkerExit): string {
  if (exit.error !== undefined) return `it could not be started: ${exit.error}`
  if (worker.killed !== undefined && exit.signal === worker.killed.signal) return `${exit.signal}: ${worker.killed.why}`
  if (exit.signal === 'SIGKILL') return 'SIGKILL, not sent by tsgi; perhaps out of memory?'
  if (exit.signal !== null) return `${exit.signal}, not sent by tsgi`
  if (worker.failure !== undefined) return `the application did not load (exit code ${exit.code})`
  if (exit.code === 0 && worker.phase === 'ready')
    return 'exit code 0, though it was serving: something in it called process.exit()'
  if (worker.readyAtMs === undefined)
    return `exit code ${exit.code}: something in the application ended the process while it loaded; tsgi check shows it alone`
  return `exit code ${exit.code}`
}

/** `1.5 s` */
export function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
