/** One child: started, spoken to, signalled, reaped. What it should do is decided elsewhere. */

import { type ChildProcess, type SendHandle, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { MessageChannel } from '../channel.ts'
import { errorCode } from '../errors.ts'
import { parseSocketMessage, parseWorkerMessage } from '../message-schemas.ts'
import {
  ARRIVED,
  type KeptConnection,
  type MasterMessage,
  MESSAGES_FD,
  type SocketMessage,
  type WorkerBoot,
  type WorkerMessage,
} from '../messages.ts'
import { ownModule } from '../own-module.ts'
import type { KillSignal } from './actions.ts'
import { becomeArguments, type Identity } from './privileges.ts'
import type { WorkerExit } from './roster.ts'
import { type BoundHandle, isHandle } from './sockets.ts'

export interface WorkerStart {
  /** The module that a worker runs. */
  readonly main: string
  readonly boot: WorkerBoot
  readonly environment: NodeJS.ProcessEnv
  /** Followed anew by each worker: a link to a release folder may point elsewhere after a deployment. */
  readonly cwd: string | undefined
  readonly identity: Identity | undefined
  /** The descriptor that is the worker's standard output; ours, where none is named. */
  readonly stdout?: number
}

export interface WorkerEvents {
  readonly message: (message: WorkerMessage) => void
  /** It hands over a kept connection. @param handle must be closed by whoever takes it */
  readonly handedOver: (connection: KeptConnection, handle: BoundHandle) => void
  /** It sent what is no message. It is still running. */
  readonly misspoke: (error: Error) => void
  /** Once, after its last message. */
  readonly exit: (exit: WorkerExit) => void
}

/** A child of the worker may hold the pipe open; the worker is gone all the same. */
const LAST_WORDS_MS = 250

export const workerMain = (): string => fileURLToPath(ownModule('worker/main'))
const becomeMain = (): string => fileURLToPath(ownModule('master/become'))

export class WorkerProcess {
  readonly #child: ChildProcess
  readonly #channel: MessageChannel<WorkerMessage, MasterMessage> | undefined
  readonly #events: WorkerEvents
  /** What to call when a message has left. */
  readonly #underWay = new Set<() => void>()
  #exit: WorkerExit | undefined
  #reported = false

  /** @param place where it runs, for the message when it could not even be started. */
  constructor(child: ChildProcess, events: WorkerEvents, place: string) {
    this.#child = child
    this.#events = events
    const stream = child.stdio?.[MESSAGES_FD]
    if (stream instanceof Duplex) {
      this.#channel = new MessageChannel(stream, parseWorkerMessage, {
        message: events.message,
        close: (error) => {
          if (error !== undefined && this.#exit === undefined && !isBrokenPipe(error)) events.misspoke(error)
          this.#report()
        },
      })
    }
    child.on('message', (message: unknown, handle: unknown) => {
      const about = parseSocketMessage(message)
      if (about !== undefined && 'connection' in about && isHandle(handle)) events.handedOver(about.connection, handle)
    })
    child.on('exit', (code, signal) => this.#exited({ code, signal }))
    child.on('error', (error) => {
      // The same event tells of a signal or a handle that could not be sent; the end of the process follows by itself then.
      if (child.pid === undefined) this.#exited({ code: null, signal: null, error: whyNotStarted(error, place) })
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  send(message: MasterMessage): void {
    this.#channel?.send(message)
  }

  /** Hands over a copy of a socket; the master's own stays open. @param sent tells when it is on its way, or lost */
  hand(handle: BoundHandle, message: SocketMessage, sent: () => void = () => undefined): void {
    // Node sends the handles of libuv too (child_process, 'net.Native'); only its types do not say so.
    this.#pass(message, handle as unknown as SendHandle, sent)
  }

  /** @param told tells when all that was handed over until now has arrived, or is lost */
  whenArrived(told: () => void): void {
    this.#pass(ARRIVED, undefined, told)
  }

  #pass(message: SocketMessage, sendable: SendHandle | undefined, done: () => void): void {
    if (!this.#child.connected || this.#exit !== undefined) {
      done()
      return
    }
    const told = (): void => {
      if (this.#underWay.delete(told)) done()
    }
    this.#underWay.add(told)
    // A worker that dies meanwhile is reported by its exit.
    this.#child.send(message, sendable, told)
  }

  kill(signal: KillSignal): void {
    this.#child.kill(signal)
  }

  #exited(exit: WorkerExit): void {
    this.#exit = exit
    // Node sends a descriptor when the one before it is confirmed, and forgets those that wait for that.
    for (const told of [...this.#underWay]) told()
    // What it said last is still in the pipe: why it did not load, for one.
    if (this.#channel === undefined || this.#channel.closed) this.#report()
    else setTimeout(() => this.#report(), LAST_WORDS_MS).unref()
  }

  #report(): void {
    if (this.#exit === undefined || this.#reported) return
    this.#reported = true
    this.#events.exit(this.#exit)
  }
}

/**
 * The young generation begins with 8 MB. V8's own beginning is one, which grows by what survives while modules load: where few are
 * loaded it stays small, is collected the more often, and a request costs a tenth more CPU. 16 MB brought nothing more.
 */
const YOUNG_GENERATION = '--min-semi-space-size=8'

export function startWorker(start: WorkerStart, events: WorkerEvents): WorkerProcess {
  const child = spawn(process.execPath, [YOUNG_GENERATION, ...nodeArguments(start.main, start.identity)], {
    stdio: ['ignore', start.stdout ?? 'inherit', 'inherit', 'pipe', 'ipc'],
    env: start.environment,
    ...(start.cwd === undefined ? {} : { cwd: start.cwd }),
  })
  const worker = new WorkerProcess(child, events, start.cwd ?? process.cwd())
  worker.send({ kind: 'boot', boot: start.boot })
  return worker
}

/** For a Node that runs a module of ours as the workers' user. */
export function nodeArguments(main: string, identity: Identity | undefined): readonly string[] {
  const script = identity === undefined ? [main] : [becomeMain(), ...becomeArguments(identity), main]
  return [...inheritedFlags(), ...script]
}

/** Flags of Node that the master was given, save those that claim a port of their own. */
function inheritedFlags(): readonly string[] {
  return process.execArgv.filter((flag) => !flag.startsWith('--inspect'))
}

/** Node names the program also where it is the folder that is not there. */
function whyNotStarted(error: Error, place: string): string {
  return existsSync(place) ? `${error.message}, in ${place}` : `there is no folder ${place}`
}

/** The process left between our last message and its end. */
function isBrokenPipe(error: Error): boolean {
  const code = errorCode(error)
  return code === 'EPIPE' || code === 'ECONNRESET'
}
