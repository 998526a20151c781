/** The loop: take in every waiting message, then plan, then act. It holds the processes; what to do with them plan.ts says. */

import { monotonicMs } from '../clock.ts'
import { asError, TsgiError } from '../errors.ts'
import type { WorkerMessage } from '../messages.ts'
import type { Options } from '../options/table.ts'
import type { Asker } from './control.ts'
import type { ControlCommand } from './control-messages.ts'
import { type Action, plan } from './plan.ts'
import { type Identity, identityVariables } from './privileges.ts'
import { ReloadAskers } from './reload-askers.ts'
import { createRoster, describeExit, type Failure, fold, type Roster, type RosterEvent } from './roster.ts'
import type { SignalCommand } from './signals.ts'
import type { Listener, Sockets } from './sockets.ts'
import { describeStatus, describeWorkers } from './status.ts'
import { spawnError, startWorker, type WorkerProcess } from './worker-process.ts'

/** What the master needs of a logger. */
export interface MasterLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface MasterStart {
  /** Absolute, with `:name` where one was given. */
  readonly application: string
  readonly options: Options
  readonly listeners: readonly Listener[]
  readonly sockets: Sockets
  readonly identity: Identity | undefined
  readonly environment: NodeJS.ProcessEnv
  readonly workerMain: string
  readonly log: MasterLog
  /** Reads the options anew. */
  readonly reload: () => Promise<Options>
  /** New options are in force. */
  readonly adopt: (options: Options) => void
  readonly reopenLogs: () => void
  /** The last worker has left. */
  readonly exit: (code: number) => void
}

/** What the workers of one generation are started with. */
interface Setup {
  readonly options: Options
  readonly listeners: readonly Listener[]
}

/** The loop was this much later than its alarm: the process stood still, and the workers may have too. */
const PAUSE_MS = 1000

/** More rounds than any plan has needed; a plan that never comes to rest would be a bug that burns a core. */
const MAX_ROUNDS = 100

export class Master {
  readonly startedAtMs = monotonicMs()
  readonly #start: MasterStart
  readonly #log: MasterLog
  readonly #processes = new Map<number, WorkerProcess>()
  readonly #setups = new Map<number, Setup>()
  readonly #reloads = new ReloadAskers()
  #stopAskers: Asker[] = []
  #roster: Roster
  #turnIsDue = false
  #alarm: NodeJS.Timeout | undefined

  constructor(start: MasterStart) {
    this.#start = start
    this.#log = start.log
    this.#roster = createRoster(start.options.workers)
    this.#setups.set(1, { options: start.options, listeners: start.listeners })
  }

  get roster(): Roster {
    return this.#roster
  }

  /** Of the generation that serves. */
  get setup(): Setup {
    const setup = this.#setups.get(this.#roster.generation)
    if (setup === undefined) throw new TsgiError('TSGI_RUN', `generation ${this.#roster.generation} has no options`)
    return setup
  }

  /** Starts the workers. */
  run(): void {
    this.#soon()
  }

  signal(command: SignalCommand, name: string): void {
    this.#log.info({ signal: name }, `${name}: ${command}`)
    switch (command) {
      case 'reload':
      case 'more':
      case 'fewer':
        return this.#hear({ kind: 'command', command: { kind: command } })
      case 'stop':
        return this.#hear({ kind: 'command', command: { kind: 'stop', how: 'graceful', why: name } })
      case 'stop-quickly':
        return this.#hear({ kind: 'command', command: { kind: 'stop', how: 'quick', why: name } })
      case 'reopen-logs':
        return this.#reopenLogs()
    }
  }

  /** A command of the control socket. */
  carryOut(command: ControlCommand, asker: Asker): void {
    this.#log.info({ command: command.command }, `control socket: ${command.command}`)
    switch (command.command) {
      case 'ping':
        return asker.done({ kind: 'ok', result: { pid: process.pid } })
      case 'status':
        return asker.done({ kind: 'ok', result: describeStatus(this.#roster, this.setup.listeners, this.#uptimeMs()) })
      case 'workers':
        return asker.done({ kind: 'ok', result: { workers: describeWorkers(this.#roster, monotonicMs()) } })
      case 'reopen-logs':
        this.#reopenLogs()
        return asker.done({ kind: 'ok', result: {} })
      case 'scale':
        this.#hear({ kind: 'command', command: { kind: 'scale', workers: command.workers } })
        return asker.done({ kind: 'ok', result: { workers: this.#roster.target } })
      case 'stop':
        this.#stopAskers.push(asker)
        asker.progress(`${this.#roster.workers.length} workers are leaving`)
        return this.#hear({ kind: 'command', command: { kind: 'stop', how: 'graceful', why: 'tsgi ctl stop' } })
      case 'reload':
        this.#reloads.add(asker)
        if (this.#roster.stop !== undefined) return this.#reloads.giveUp('tsgi is stopping')
        if (this.#roster.reload !== undefined) asker.progress('another reload is under way; this one comes next')
        return this.#hear({ kind: 'command', command: { kind: 'reload' } })
    }
  }

  #uptimeMs(): number {
    return monotonicMs() - this.startedAtMs
  }

  #hear(event: RosterEvent): void {
    this.#roster = fold(this.#roster, event, monotonicMs())
    this.#soon()
  }

  /** One turn after everything that has arrived was read, however much it is: no plan is made on half of the news. */
  #soon(): void {
    if (this.#turnIsDue || this.#roster.exited) return
    this.#turnIsDue = true
    setImmediate(() => {
      this.#turnIsDue = false
      this.#turn()
    })
  }

  #turn(): void {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const { actions, wakeAtMs } = plan(this.#roster, this.#newestOptions(), monotonicMs())
      if (actions.length === 0) return this.#sleepUntil(wakeAtMs)
      for (const action of actions) this.#act(action)
      if (this.#roster.exited) return this.#sleepUntil(Number.POSITIVE_INFINITY)
    }
    this.#log.error({ roster: this.#roster }, 'the plan does not come to rest; this is a bug in tsgi')
    this.#sleepUntil(monotonicMs() + PAUSE_MS)
  }

  #sleepUntil(wakeAtMs: number): void {
    clearTimeout(this.#alarm)
    if (wakeAtMs === Number.POSITIVE_INFINITY) return
    // A timer fires up to a millisecond early, and then there is nothing to do yet.
    const delayMs = Math.ceil(Math.max(0, wakeAtMs - monotonicMs())) + 1
    this.#alarm = setTimeout(() => {
      const pauseMs = monotonicMs() - wakeAtMs
      if (pauseMs > PAUSE_MS) this.#hear({ kind: 'paused', pauseMs })
      else this.#soon()
    }, delayMs)
  }

  #newestOptions(): Options {
    const { reload, generation } = this.#roster
    return (this.#setups.get(reload?.generation ?? generation) ?? this.setup).options
  }

  #act(action: Action): void {
    const pid = this.#carryOut(action)
    this.#roster = fold(this.#roster, { kind: 'acted', action, pid }, monotonicMs())
  }

  /** @returns the pid, for a spawn. */
  #carryOut(action: Action): number | undefined {
    switch (action.kind) {
      case 'spawn':
        return this.#spawn(action)
      case 'drain':
        this.#log.info(this.#fields(action.id), `${this.#name(action.id)} drains: ${action.why}`)
        this.#processes.get(action.id)?.send({ kind: 'drain', graceMs: action.graceMs, why: action.why })
        return undefined
      case 'quit':
        this.#log.info(this.#fields(action.id), `${this.#name(action.id)} is told to leave: ${action.why}`)
        this.#processes.get(action.id)?.send({ kind: 'quit', why: action.why })
        return undefined
      case 'kill':
        this.#log.warn(
          this.#fields(action.id),
          `${this.#name(action.id)} is killed with ${action.signal}: ${action.why}`,
        )
        this.#processes.get(action.id)?.kill(action.signal)
        return undefined
      case 'configure':
        this.#reloads.begin()
        this.#reloads.progress('reading the configuration')
        void this.#configure(action.generation)
        return undefined
      case 'fail-reload':
        return undefined
      case 'commit-reload':
        return this.#commitReload(action.generation)
      case 'drop-reload':
        return this.#dropReload(action.generation, action.failure)
      case 'exit':
        return this.#exit(action.code)
    }
  }

  #spawn({ id, slot, generation, why }: Extract<Action, { kind: 'spawn' }>): number | undefined {
    const { application, identity, environment, workerMain } = this.#start
    const { options, listeners } = this.#setups.get(generation) ?? this.setup
    const boot = { slot, generation, application, options, listeners: listeners.map(({ info }) => info) }
    const variables = options.environ.map((text): [string, string] => {
      const at = text.indexOf('=')
      return [text.slice(0, at), text.slice(at + 1)]
    })
    try {
      const worker = startWorker(
        {
          main: workerMain,
          boot,
          identity,
          cwd: options.chdir,
          environment: { ...environment, ...identityVariables(identity), ...Object.fromEntries(variables) },
        },
        {
          message: (message) => this.#heard(id, message, listeners),
          misspoke: (error) => {
            this.#log.error(
              { ...this.#fields(id), error: error.message },
              `${this.#name(id)} broke its channel to the master`,
            )
            this.#processes.get(id)?.kill('SIGKILL')
          },
          exit: (exit) => {
            this.#processes.delete(id)
            this.#reportExit(id, exit)
            this.#hear({ kind: 'exited', id, exit })
          },
        },
      )
      this.#processes.set(id, worker)
      this.#log.info({ slot, generation, workerPid: worker.pid }, `worker ${slot} started (pid ${worker.pid}): ${why}`)
      return worker.pid
    } catch (thrown) {
      const exit = spawnError(thrown)
      setImmediate(() => {
        this.#reportExit(id, exit)
        this.#hear({ kind: 'exited', id, exit })
      })
      return undefined
    }
  }

  #heard(id: number, message: WorkerMessage, listeners: readonly Listener[]): void {
    const worker = this.#roster.workers.find((one) => one.id === id)
    if (message.kind === 'want-sockets' && (worker?.phase === 'booting' || worker?.phase === 'ready')) {
      for (const [index, { handle }] of listeners.entries()) this.#processes.get(id)?.hand(handle, index)
    }
    this.#hear({ kind: 'message', id, message })
    if (message.kind === 'tick' || message.kind === 'want-sockets') return
    this.#reportMessage(id, message)
  }

  #reportMessage(id: number, message: WorkerMessage): void {
    const { reload, workers } = this.#roster
    const name = this.#name(id)
    switch (message.kind) {
      case 'ready': {
        this.#log.info(
          { ...this.#fields(id), bootMs: message.bootMs, interface: message.interface },
          `${name} is ready`,
        )
        if (reload?.phase !== 'booting') return
        const up = workers.filter((one) => one.generation === reload.generation && one.phase === 'ready').length
        return this.#reloads.progress(`${name} is ready: ${up} of ${reload.target}`)
      }
      case 'failed': {
        const err = { type: 'Error', message: message.message, stack: message.stack }
        return this.#log.error(
          { ...this.#fields(id), err },
          `${name} could not load the application: ${message.message}`,
        )
      }
      case 'retire':
        return this.#log.info(this.#fields(id), `${name} asks to be replaced: ${message.why}`)
      default:
        return this.#log.debug(this.#fields(id), `${name}: ${message.kind}`)
    }
  }

  #reportExit(id: number, exit: Parameters<typeof describeExit>[1]): void {
    const worker = this.#roster.workers.find((one) => one.id === id)
    if (worker === undefined) return
    const fields = { ...this.#fields(id), requestsInFlight: worker.tick?.requestsInFlight ?? 0 }
    const left = (worker.phase === 'draining' || worker.phase === 'quitting') && worker.killed === undefined
    if (left && exit.signal === null) this.#log.info(fields, `${this.#name(id)} left`)
    else this.#log.error(fields, `${this.#name(id)} died: ${describeExit(worker, exit)}`)
  }

  async #configure(generation: number): Promise<void> {
    let setup: Setup
    try {
      const options = await this.#start.reload()
      if (!this.#isReloading(generation)) return
      setup = { options, listeners: await this.#start.sockets.bind(options) }
    } catch (thrown) {
      const { message, stack = '' } = asError(thrown)
      // What is wrong with the configuration needs no stack of ours.
      const own = thrown instanceof TsgiError
      const exitCode = own ? thrown.exitCode : 2
      this.#hear({ kind: 'not-configured', generation, failure: { message, stack: own ? '' : stack, exitCode } })
      return
    }
    if (!this.#isReloading(generation)) return this.#start.sockets.keepOnly(this.setup.listeners)
    this.#setups.set(generation, setup)
    this.#reloads.progress(`starting ${setup.options.workers} workers of generation ${generation}`)
    this.#hear({ kind: 'configured', generation, workers: setup.options.workers })
  }

  #isReloading(generation: number): boolean {
    const { reload } = this.#roster
    return reload?.generation === generation && reload.failure === undefined
  }

  #commitReload(generation: number): undefined {
    const setup = this.#setups.get(generation)
    for (const other of [...this.#setups.keys()]) if (other !== generation) this.#setups.delete(other)
    if (setup === undefined) return
    this.#start.sockets.keepOnly(setup.listeners)
    this.#start.adopt(setup.options)
    this.#log.info({ generation }, `reloaded: generation ${generation} serves`)
    this.#reloads.end({
      kind: 'ok',
      result: { generation, workers: this.#roster.reload?.phase === 'booting' ? this.#roster.reload.target : 0 },
    })
  }

  #dropReload(generation: number, failure: Failure): undefined {
    this.#setups.delete(generation)
    this.#start.sockets.keepOnly(this.setup.listeners)
    const err = failure.stack === '' ? {} : { err: { type: 'Error', message: failure.message, stack: failure.stack } }
    this.#log.error(
      { generation, ...err },
      `the reload failed, generation ${this.#roster.generation} goes on serving: ${failure.message}`,
    )
    this.#reloads.end({ kind: 'failed', ...failure })
  }

  #reopenLogs(): void {
    this.#start.reopenLogs()
    for (const worker of this.#processes.values()) worker.send({ kind: 'reopen-logs' })
  }

  #exit(code: number): undefined {
    this.#reloads.giveUp('tsgi is stopping')
    for (const asker of this.#stopAskers) asker.done({ kind: 'ok', result: {} })
    this.#stopAskers = []
    this.#log.info({ exitCode: code }, 'the last worker has left')
    this.#start.exit(code)
  }

  #name(id: number): string {
    const worker = this.#roster.workers.find((one) => one.id === id)
    return worker === undefined ? `worker #${id}` : `worker ${worker.slot} (pid ${worker.pid ?? 'none'})`
  }

  #fields(id: number): object {
    const worker = this.#roster.workers.find((one) => one.id === id)
    return { slot: worker?.slot, generation: worker?.generation, workerPid: worker?.pid }
  }
}
