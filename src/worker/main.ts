/** A worker process: started by the master, with its messages on descriptor 3 and sockets over Node's own channel. */

import type { SendHandle } from 'node:child_process'
import { Socket } from 'node:net'
import { MessageChannel } from '../channel.ts'
import { monotonicMs } from '../clock.ts'
import { asError, TsgiError } from '../errors.ts'
import { sayFarewell } from '../interfaces/farewell.ts'
import type { LoadedApplication } from '../interfaces/registry.ts'
import { onLogFault } from '../log/faults.ts'
import { createLog, type Log } from '../log/logger.ts'
import { parseMasterMessage, parseSocketMessage } from '../message-schemas.ts'
import {
  type KeptConnection,
  type MasterMessage,
  MESSAGES_FD,
  type WorkerBoot,
  type WorkerMessage,
} from '../messages.ts'
import type { Options } from '../options/table.ts'
import { packageVersion } from '../package-version.ts'
import { wantsFastAccept } from './accept-path.ts'
import { bootApplication, startApplication } from './boot.ts'
import { forgiveEndedRequests } from './ended-requests.ts'
import { leave } from './leave.ts'
import { stackOf } from './load/own-stack.ts'
import { isRawHandle, type RawHandle } from './raw-handle.ts'
import { holdTermination } from './termination.ts'
import { Worker } from './worker.ts'

/** Once the master is gone: what the application has to do at the end may take this long, and nobody else would end it. */
const ORPHANED_MS = 5000

/** For an application that is told to end when the grace is over: less than LEAVE_MARGIN_MS, after which the master kills. */
const MIN_TERMINATION_MS = 1000

/**
 * A terminal's Ctrl-C reaches the whole process group, and `systemctl kill` every process of a service: the master decides, by
 * message. By default SIGUSR1 would open Node's debugger, and the last two would stop the process.
 */
const FOR_THE_MASTER = ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTTIN', 'SIGTTOU'] as const

type Channel = MessageChannel<MasterMessage, WorkerMessage>

/** The log, or the master, knows why this process ends. */
let isEndTold = false

function main(): void {
  let worker: Worker | undefined
  let log: Log | undefined
  /** The log files that are open so far: those of a worker that still loads the application are moved away like any other's. */
  let reopenLogs = (): void => undefined
  let leaveByMs = 0
  const socket = new Socket({ fd: MESSAGES_FD })
  const parse = (value: unknown): MasterMessage => {
    try {
      return parseMasterMessage(value)
    } catch (thrown) {
      // Said while it still can be: the channel ends with this, and the master would blame the application.
      if (log === undefined) fail(otherMaster(thrown), channel)
      throw thrown
    }
  }
  const channel: Channel = new MessageChannel(socket, parse, {
    message: (message) => {
      switch (message.kind) {
        case 'boot':
          try {
            const opened = logOf(message.boot)
            log = opened
            reopenLogs = () => void opened.reopen()
          } catch (thrown) {
            fail(asError(thrown), channel)
            return
          }
          void start(message.boot, channel, log, {
            made: (made) => {
              reopenLogs = () => made.reopenLogs()
            },
            drained: (loaded, startLog) => {
              const limitMs = Math.max(MIN_TERMINATION_MS, leaveByMs - monotonicMs())
              void leave({ channel, socket, loaded, termination, log: startLog, limitMs })
            },
          }).then((started) => {
            worker = started
          })
          return
        case 'drain':
          if (worker === undefined) process.exit(0)
          leaveByMs = monotonicMs() + message.graceMs
          worker.drain(message.graceMs, message.why, message.last)
          return
        case 'sockets-closed':
          worker?.socketsClosed()
          return
        case 'shed':
          worker?.shed(message.requestsPerSecond)
          return
        case 'quit':
          if (worker === undefined) process.exit(0)
          worker.quit(message.why)
          return
        case 'reopen-logs':
          reopenLogs()
      }
    },
    // The master is gone, however it went: nobody would ever stop this process.
    close: () => {
      if (worker === undefined) process.exit(1)
      log?.error('the master is gone: leaving')
      setTimeout(() => {
        log?.error(`still here ${ORPHANED_MS} ms after the master: leaving the application as it is`)
        process.exit(1)
      }, ORPHANED_MS)
      worker.quit('the master is gone')
    },
  })
  forgiveEndedRequests((error) => {
    log?.warn({ err: asError(error) }, 'a rejected promise that nobody handles, of a request that has ended')
  })
  process.on('uncaughtExceptionMonitor', (error, origin) => {
    // Then it is not the end. Otherwise Node writes to standard error alone, which with --log-file nobody may be reading.
    if (process.listenerCount('uncaughtException') > 0) return
    const what =
      origin === 'unhandledRejection' ? 'a rejected promise that nobody handles' : 'an error that nobody catches'
    isEndTold = true
    log?.error({ err: asError(error) }, `${what} ends this worker`)
  })
  process.on('exit', (exitCode) => {
    const requests = worker?.atStake
    if (requests === undefined || isEndTold) return
    log?.error({ exitCode, requests }, 'something in the application ends this worker: process.exit()')
  })
  // Of the access log, most often; where it is this very log that cannot be written, the line is lost like all others.
  onLogFault((message) => log?.error(message))
  for (const signal of FOR_THE_MASTER) process.on(signal, () => undefined)
  // systemd sends it to every process of a service: the master will say drain. Sent to this one alone, it asks for a successor.
  const termination = holdTermination(() => channel.send({ kind: 'retire', why: 'SIGTERM' }))
}

const optionsOf = (boot: WorkerBoot): Options =>
  // Parsed by the master, which runs the same version (master/own-files.ts); it only travelled as plain data.
  boot.options as unknown as Options

function logOf(boot: WorkerBoot): Log {
  const { logLevel, logFormat, logFile } = optionsOf(boot)
  return createLog({ level: logLevel, format: logFormat, file: logFile, name: `worker ${boot.slot}` })
}

interface StartEvents {
  /** It has opened the access log, and does not serve yet. */
  readonly made: (worker: Worker) => void
  readonly drained: (loaded: LoadedApplication, log: Log) => void
}

async function start(boot: WorkerBoot, channel: Channel, log: Log, events: StartEvents): Promise<Worker | undefined> {
  const options = optionsOf(boot)
  const startedMs = monotonicMs()
  try {
    // First, for loading an application may keep the event loop busy for longer than the probe waits.
    const fast = await wantsFastAccept(log)
    const loaded = await bootApplication(boot.application, options, log)
    const worker = new Worker({
      handler: loaded.handler,
      boot,
      options,
      fast,
      log,
      send: (message) => channel.send(message),
      passOn,
      draining: sayFarewell,
      broken: (error) => fail(error, channel),
      drained: (why) => {
        log.debug({ why }, 'drained')
        events.drained(loaded, log)
      },
    })
    events.made(worker)
    process.on('message', (message: unknown, handle: unknown) => {
      const about = parseSocketMessage(message)
      if (about === undefined) return
      if ('listener' in about) worker.takeSocket(about.listener, handle, about.last)
      else if ('connection' in about && isRawHandle(handle)) worker.takeConnection(about.connection, handle)
    })
    await startApplication(loaded, log)
    // From here on only: to load and compile an application takes its time.
    if (options.traceHangsMs > 0) {
      const { traceHangs } = await import('./hang-trace.ts')
      traceHangs(options.traceHangsMs, log, () => worker.underWay)
    }
    await worker.start()
    channel.send({ kind: 'ready', bootMs: Math.round(monotonicMs() - startedMs), interface: loaded.interface })
    return worker
  } catch (thrown) {
    fail(asError(thrown), channel)
    return undefined
  }
}

/** tsgi was installed anew under a master that runs: nothing that the application could help. */
function otherMaster(cause: unknown): TsgiError {
  const text = `this worker is of tsgi ${packageVersion()} and does not understand the master: restart it`
  return new TsgiError('TSGI_USAGE', `${text} (${asError(cause).message})`, { cause })
}

function fail(error: Error, channel: Channel): void {
  isEndTold = true
  const exitCode = error instanceof TsgiError ? error.exitCode : 1
  const stack = stackOf(error)
  channel.send({ kind: 'failed', exitCode, message: error.message, stack }, () => process.exit(exitCode))
}

/** Over Node's own channel, which carries descriptors. */
function passOn(handle: RawHandle, connection: KeptConnection, sent: () => void): void {
  // Node sends the handles of libuv too (child_process, 'net.Native'); only its types do not say so.
  const sendable = handle as unknown as SendHandle
  if (process.send === undefined || !process.connected) sent()
  // Whether it arrived or not, it is closed here: then the front server sees a connection that ended between two requests.
  else process.send({ connection }, sendable, {}, () => sent())
}

main()
