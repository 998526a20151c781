/**
 * Tells systemd, where it asks for it, when the service is ready, reloads and stops, and that it is well (sd_notify(3)). Node
 * has no datagrams over Unix sockets: the command `systemd-notify`, which comes with systemd, sends them (4 ms each). The
 * service manager sees another process than the master's, so units need NotifyAccess=all, unless they run as root.
 */

import { spawn } from 'node:child_process'
import { monotonicMs } from '../clock.ts'
import type { MasterLog } from './report.ts'
import type { Roster } from './roster.ts'
import { isWell, observe, STARTING } from './service-state.ts'

const COMMAND = 'systemd-notify'

interface ServiceNotifier {
  /** Called when anything happened; says what is new. */
  readonly observe: (roster: Roster) => void
  readonly close: () => void
}

interface NotifierStart {
  /** Its variables for this are taken out: they are no business of the workers. */
  readonly environment: NodeJS.ProcessEnv
  readonly log: MasterLog
  readonly heartbeatTimeoutMs: () => number
}

/** @returns undefined where nobody asks */
export function openServiceNotifier({
  environment,
  log,
  heartbeatTimeoutMs,
}: NotifierStart): ServiceNotifier | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC, WATCHDOG_PID } = environment
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name]
  if (socket === undefined || socket === '') return undefined
  const send = sender({ ...environment, NOTIFY_SOCKET: socket }, log)
  let state = STARTING
  let newest: Roster | undefined
  const watched = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid)
  const watchdogMs = watched ? Number(WATCHDOG_USEC ?? 0) / 1000 : 0
  // sd_watchdog_enabled(3): every half of the time.
  const watchdog = watchdogMs > 0 ? setInterval(() => sayWell(), watchdogMs / 2) : undefined
  const sayWell = (): void => {
    if (newest !== undefined && isWell(newest, heartbeatTimeoutMs(), monotonicMs())) send(['WATCHDOG=1'])
  }
  return {
    observe: (roster) => {
      newest = roster
      const { state: next, variables } = observe(state, roster, process.hrtime.bigint() / 1000n)
      state = next
      if (variables.length > 0) send(variables)
    },
    close: () => clearInterval(watchdog),
  }
}

/** One command after the other: what is said first must arrive first. */
function sender(environment: NodeJS.ProcessEnv, log: MasterLog): (variables: readonly string[]) => void {
  const waiting: (readonly string[])[] = []
  let busy = false
  let failed = false
  const fail = (why: string): void => {
    if (!failed) log.warn({}, `systemd cannot be told how the service is: ${COMMAND} ${why}`)
    failed = true
  }
  const next = (): void => {
    const variables = waiting.shift()
    if (variables === undefined) return
    busy = true
    const child = spawn(COMMAND, variables, { env: environment, stdio: 'ignore' })
    const done = (why: string | undefined): void => {
      if (why !== undefined) fail(why)
      busy = false
      next()
    }
    child.once('error', (error) => done(`cannot be started: ${error.message}`))
    child.once('exit', (code, signal) => done(code === 0 ? undefined : `ended with ${signal ?? `exit code ${code}`}`))
  }
  return (variables) => {
    const last = waiting.at(-1)
    // A state that nobody has heard of yet may as well never have been.
    if (last?.length === 1 && last[0]?.startsWith('STATUS=') && variables.at(-1)?.startsWith('STATUS=')) waiting.pop()
    waiting.push(variables)
    if (!busy) next()
  }
}
