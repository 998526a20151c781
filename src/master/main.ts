/** A master from its first line to its last: what it opens before the workers start, and closes after they left. */

import { monotonicMs } from '../clock.ts'
import { asError } from '../errors.ts'
import { onLogFault } from '../log/faults.ts'
import type { TlsIdentity } from '../messages.ts'
import type { Reloaded } from '../options/reload.ts'
import type { Options } from '../options/table.ts'
import { packageVersion } from '../package-version.ts'
import type { Failure } from './actions.ts'
import { takeActivatedFds } from './activation.ts'
import { createAdmission } from './admission.ts'
import { openControl } from './control.ts'
import { logFilesOf } from './log-files.ts'
import { Master } from './master.ts'
import { openMasterLog } from './master-log.ts'
import { openServiceNotifier } from './notify.ts'
import { OwnFiles } from './own-files.ts'
import { writePidfile } from './pidfile.ts'
import { type Identity, workerEnvironment, workerIdentity } from './privileges.ts'
import type { Setup } from './reloads.ts'
import type { MasterLog } from './report.ts'
import type { Service } from './service.ts'
import { SignalWatch } from './signals.ts'
import { backlogWarning, Sockets } from './sockets.ts'
import { metricsInput, openMetrics, openStats } from './stats-server.ts'
import { readTlsFiles } from './tls-files.ts'
import { uwsgiStats } from './uwsgi-stats.ts'
import { watchSockets } from './watch-sockets.ts'
import { startWorker, type WorkerStart, workerMain } from './worker-process.ts'

interface MasterRun {
  /** Absolute path, with `:name` where one was given. */
  readonly application: string
  readonly options: Options
  /** Reads the options anew; what it throws fails the reload, and the old ones stay. */
  readonly reload: () => Promise<Reloaded>
  /** The command line as it was called, which after a deployment may lead to that of another release. */
  readonly program?: string | undefined
  /** Called once every address is bound. */
  readonly onListening?: () => void
  /** Another module than tsgi's own for the workers to run. */
  readonly workerMain?: string
}

export interface Ended {
  /** 0 after a stop; where the first start failed, that of the error: 3 when the application did not load. */
  readonly exitCode: number
  /** Why it is not 0; logged already. */
  readonly failure: Failure | undefined
}

/**
 * Serves until told to stop.
 * @throws TsgiError TSGI_BIND | TSGI_USAGE before any worker was started.
 */
export async function runMaster(run: MasterRun): Promise<Ended> {
  const { options } = run
  // First: by default most of them would end the process, with its sockets and its pidfile left behind.
  const signals = new SignalWatch()
  const closers: (() => void)[] = [() => signals.close()]
  try {
    const identity = workerIdentity(options)
    const logFiles = logFilesOf(identity)
    logFiles.create(options)
    const log = openMasterLog(options, logFiles.openAs)
    closers.push(onLogFault((message) => log.error({}, message)))
    /** Read with the options that name them; a generation keeps its own, also when a later one fails to come up. */
    const tls = new WeakMap<Options, TlsIdentity | undefined>([[options, readTlsFiles(options)]])
    let { heartbeatTimeoutMs } = options
    const notifier = openServiceNotifier({
      environment: process.env,
      log,
      heartbeatTimeoutMs: () => heartbeatTimeoutMs,
    })
    closers.push(() => notifier?.close())
    if (options.pidfile !== undefined) closers.push(writePidfile(options.pidfile))
    const ownFiles = new OwnFiles(run.program)
    const sockets = new Sockets(identity, takeActivatedFds(process.env))
    closers.push(() => sockets.keepOnly([]))
    const listeners = await sockets.bind(options)
    const services: Service[] = []
    closers.push(() => {
      for (const service of services) service.close()
    })
    const unreachable = (): string[] =>
      services.filter(({ isReachable }) => !isReachable()).map(({ address }) => address)
    closers.push(watchSockets(() => [...sockets.unreachable, ...unreachable()], log))
    warnAtStart(log, options, sockets)
    return await new Promise<Ended>((resolve, reject) => {
      const master = new Master({
        options,
        listeners,
        sockets,
        log,
        startWorker: (slot, setup, events) => {
          // One that cannot be created keeps the worker from starting, which says so.
          logFiles.tryCreate(setup.options)
          // The place would be empty otherwise, and most versions differ in nothing that the two say to each other.
          const problem = ownFiles.otherVersion()
          if (problem !== undefined) log.warn({}, problem)
          return startWorker(workerStart(run, identity, slot, setup, tls.get(setup.options)), events)
        },
        reload: async () => {
          // The old workers go on: nothing is lost by waiting for the restart.
          ownFiles.requireOwnVersion()
          const renewed = await run.reload()
          tls.set(renewed.options, readTlsFiles(renewed.options))
          await renewServices(services, log)
          return renewed
        },
        adopt: (adopted) => {
          log.adopt(adopted)
          heartbeatTimeoutMs = adopted.heartbeatTimeoutMs
        },
        observe: (roster) => notifier?.observe(roster),
        reopenLogs: () => {
          const faults = logFiles.tryCreate(master.setup.options)
          for (const { message } of faults) log.error({}, message)
          const fault = log.reopen() ?? faults[0]
          if (fault === undefined) return { kind: 'ok', result: {} }
          return { kind: 'failed', message: fault.message, stack: '', exitCode: 1 }
        },
        exit: (exitCode, failure) => resolve({ exitCode, failure }),
      })
      openServices(run, master, log, services).then(() => {
        run.onListening?.()
        const addresses = listeners.map(({ info }) => `${info.protocol} ${info.address}`)
        log.info({ listeners: addresses }, `tsgi (pid ${process.pid}) is bound to ${addresses.join(', ')}`)
        signals.handOver((command, signal) => master.signal(command, signal))
        master.run()
      }, reject)
    })
  } finally {
    for (const close of closers.reverse()) close()
  }
}

function workerStart(
  run: MasterRun,
  identity: Identity | undefined,
  slot: number,
  setup: Setup,
  tls: TlsIdentity | undefined,
): WorkerStart {
  const { generation, options, listeners } = setup
  return {
    main: run.workerMain ?? workerMain(),
    boot: {
      slot,
      generation,
      application: run.application,
      options,
      ...(tls && { tls }),
      listeners: listeners.map(({ info }) => info),
    },
    environment: workerEnvironment(process.env, identity, options),
    cwd: options.chdir,
    identity,
  }
}

/** Nobody's requests come this way: what cannot be bound anew is no reason to keep new code from serving. */
async function renewServices(services: readonly Service[], log: MasterLog): Promise<void> {
  for (const service of services) {
    try {
      await service.renew()
    } catch (thrown) {
      log.error({ address: service.address }, asError(thrown).message)
    }
  }
}

/** @param services takes each that is open */
async function openServices(run: MasterRun, master: Master, log: MasterLog, services: Service[]): Promise<void> {
  const { control, stats, metrics, socketMode, backlog } = run.options
  if (control !== undefined) {
    const warn = (message: string): void => log.warn({}, message)
    services.push(await openControl(control, (command, asker) => master.carryOut(command, asker), warn))
  }
  const admits = createAdmission(() => master.setup.options.allowFrom, log)
  if (stats !== undefined) {
    const version = `tsgi-${packageVersion()}`
    const service = await openStats({ address: stats, mode: socketMode, admits }, () =>
      uwsgiStats({
        roster: master.roster,
        listeners: master.setup.listeners,
        backlog,
        application: run.application,
        version,
        nowMs: monotonicMs(),
        wallClockMs: Date.now(),
      }),
    )
    services.push(service)
    log.info({ address: service.address }, `statistics are at ${service.address}`)
  }
  if (metrics !== undefined) {
    const service = await openMetrics({ address: metrics, mode: socketMode, admits }, () =>
      metricsInput(master.roster, monotonicMs()),
    )
    services.push(service)
    log.info({ address: service.address }, `metrics are at ${service.address}, path /metrics`)
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
