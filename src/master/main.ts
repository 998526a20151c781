/** A master from its first line to its last: what it opens before the workers start, and closes after they left. */

import type { Options } from '../options/table.ts'
import { takeActivatedFds } from './activation.ts'
import { openControl } from './control.ts'
import { Master, type Setup } from './master.ts'
import { openMasterLog } from './master-log.ts'
import { writePidfile } from './pidfile.ts'
import { type Identity, identityVariables, workerIdentity } from './privileges.ts'
import type { MasterLog } from './report.ts'
import { watchSignals } from './signals.ts'
import { backlogWarning, Sockets } from './sockets.ts'
import { startWorker, WORKER_MAIN, type WorkerStart } from './worker-process.ts'

export interface MasterRun {
  /** Absolute path, with `:name` where one was given. */
  readonly application: string
  readonly options: Options
  /** Reads the options anew; what it throws fails the reload, and the old ones stay. */
  readonly reload: () => Promise<Options>
  /** Another module than tsgi's own for the workers to run. */
  readonly workerMain?: string
}

/**
 * Serves until told to stop.
 * @returns the exit code: 0 after a stop, 3 when the application did not load at the first start.
 * @throws TsgiError TSGI_BIND | TSGI_USAGE before any worker was started.
 */
export async function runMaster(run: MasterRun): Promise<number> {
  const { options } = run
  const closers: (() => void)[] = []
  try {
    const identity = workerIdentity(options)
    const log = openMasterLog(options)
    if (options.pidfile !== undefined) closers.push(writePidfile(options.pidfile))
    const sockets = new Sockets(identity, takeActivatedFds(process.env))
    closers.push(() => sockets.keepOnly([]))
    const listeners = await sockets.bind(options)
    warnAtStart(log, options, sockets)
    return await new Promise<number>((resolve, reject) => {
      const master = new Master({
        options,
        listeners,
        sockets,
        log,
        startWorker: (slot, setup, events) => startWorker(workerStart(run, identity, slot, setup), events),
        reload: run.reload,
        adopt: (adopted) => log.adopt(adopted),
        reopenLogs: () => log.reopen(),
        exit: resolve,
      })
      closers.push(watchSignals((command, signal) => master.signal(command, signal)))
      openServices(master, options, log, closers).then(() => {
        const addresses = listeners.map(({ info }) => `${info.protocol} ${info.address}`)
        log.info({ listeners: addresses }, `tsgi (pid ${process.pid}) listens on ${addresses.join(', ')}`)
        master.run()
      }, reject)
    })
  } finally {
    for (const close of closers.reverse()) close()
  }
}

function workerStart(run: MasterRun, identity: Identity | undefined, slot: number, setup: Setup): WorkerStart {
  const { generation, options, listeners } = setup
  const variables = options.environ.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)])
  return {
    main: run.workerMain ?? WORKER_MAIN,
    boot: { slot, generation, application: run.application, options, listeners: listeners.map(({ info }) => info) },
    environment: { ...process.env, ...identityVariables(identity), ...Object.fromEntries(variables) },
    cwd: options.chdir,
    identity,
  }
}

async function openServices(master: Master, options: Options, log: MasterLog, closers: (() => void)[]): Promise<void> {
  if (options.control !== undefined) {
    const warn = (message: string): void => log.warn({}, message)
    closers.push(await openControl(options.control, (command, asker) => master.carryOut(command, asker), warn))
  }
}

function warnAtStart(log: MasterLog, options: Options, sockets: Sockets): void {
  const backlog = backlogWarning(options.backlog)
  if (backlog !== undefined) log.warn({}, backlog)
  if (sockets.unusedFds.length > 0) {
    const unused = sockets.unusedFds.map((fd) => `fd:${fd}`).join(', ')
    log.warn(
      {},
      `passed by systemd and not used by any listener: ${unused}; name them (--uwsgi ${unused}) or their addresses`,
    )
  }
}
