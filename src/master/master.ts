/** The loop: take in every waiting message, then plan, then act. It holds the processes; what to do with them plan.ts says. */

import { monotonicMs } from '../clock.ts'
import { asError } from '../errors.ts'
import type { WorkerMessage } from '../messages.ts'
import type { Reloaded } from '../options/reload.ts'
import type { Options } from '../options/table.ts'
import type { Action, Failure } from './actions.ts'
import type { Asker } from './control.ts'
import { CONTROL_COMMANDS, type ControlCommand, type ControlOutcome } from './control-messages.ts'
import { Distribution } from './distribution.ts'
import { fold, type RosterEvent } from './fold.ts'
import { plan } from './plan.ts'
import { Pulse } from './pulse.ts'
import { Reloads, type Setup } from './reloads.ts'
import { fieldsOf, type MasterLog, reportExit, reportMessage } from './report.ts'
import { createRoster, type Roster, type WorkerExit, type WorkerView } from './roster.ts'
import type { SignalCommand } from './signals.ts'
import type { Listener, Sockets } from './sockets.ts'
import { describeStatus, describeWorkers } from './status.ts'
import { inSeconds, nameOf, workersText } from './words.ts'
import type { WorkerEvents, WorkerProcess } from './worker-process.ts'

interface MasterStart {
  readonly options: Options
  readonly listeners: readonly Listener[]
  readonly sockets: Sockets
  readonly log: MasterLog
  /** @throws whatever Node refuses to start a process with. */
  readonly startWorker: (slot: number, setup: Setup, events: WorkerEvents) => WorkerProcess
  /** Reads the options anew. */
  readonly reload: () => Promise<Reloaded>
  /** New options are in force. */
  readonly adopt: (options: Options) => void
  readonly reopenLogs: () => ControlOutcome
  /** Something happened, and everything was done about it. */
  readonly observe: (roster: Roster) => void
  /** The last worker has left. */
  readonly exit: (code: number, failure: Failure | undefined) => void
}

/** More rounds than any plan has needed; a plan that never comes to rest would be a bug that burns a core. */
const MAX_ROUNDS = 100
const NEXT_TRY_MS = 1000

export class Master {
  readonly #startedAtMs = monotonicMs()
  readonly #start: MasterStart
  readonly #log: MasterLog
  readonly #processes = new Map<number, WorkerProcess>()
  readonly #reloads: Reloads
  readonly #distribution: Distribution
  readonly #pulse = new Pulse((pauseMs) => this.#hear({ kind: 'paused', pauseMs }))
  #stopAskers: Asker[] = []
  #roster: Roster
  #turnIsDue = false
  /** That all workers of the first start are up. */
  #announced = false
  #alarm: NodeJS.Timeout | undefined

  constructor(start: MasterStart) {
    this.#start = start
    this.#log = start.log
    this.#roster = createRoster(start.options.workers)
    const { options, listeners, sockets, log, reload, adopt } = start
    this.#reloads = new Reloads(
      { generation: this.#roster.generation, options, needRestart: [], listeners },
      { sockets, log, reload, adopt, roster: () => this.#roster, hear: (event) => this.#hear(event) },
    )
    this.#distribution = new Distribution(this)
  }

  get roster(): Roster {
    return this.#roster
  }

  get setup(): Setup {
    return this.#reloads.setup
  }

  get listeners(): readonly Listener[] {
    return this.setup.listeners
  }

  process(id: number): WorkerProcess | undefined {
    return this.#processes.get(id)
  }

  get uptimeMs(): number {
    return monotonicMs() - this.#startedAtMs
  }

  /** Starts the workers. */
  run(): void {
    this.#distribution.start()
    this.#pulse.start()
    this.#soon()
  }

  signal(command: SignalCommand, name: string): void {
    this.#log.info({ signal: name }, `${name}: ${command}`)
    switch (command) {
      case 'reload':
      case 'more':
      case 'fewer':
        this.#hear({ kind: 'command', command: { kind: command } })
        break
      case 'stop':
        this.#stopGracefully(name)
        break
      case 'stop-quickly':
        this.#hear({ kind: 'command', command: { kind: 'stop', how: 'quick', why: name } })
        break
      case 'reopen-logs':
        this.#reopenLogs()
        break
    }
  }

  /** A command of the control socket. */
  carryOut(command: ControlCommand, asker: Asker): void {
    const { logLevel } = CONTROL_COMMANDS[command.command]
    this.#log[logLevel]({ command: command.command }, `control socket: ${command.command}`)
    const answer = (result: Readonly<Record<string, unknown>>): void => asker.done({ kind: 'ok', result })
    switch (command.command) {
      case 'ping':
        answer({ pid: process.pid })
        break
      case 'status':
        answer(describeStatus(this.#roster, this.listeners, this.uptimeMs))
        break
      case 'workers':
        answer({ workers: describeWorkers(this.#roster, monotonicMs()) })
        break
      case 'reopen-logs':
        asker.done(this.#reopenLogs())
        break
      case 'scale':
        this.#hear({ kind: 'command', command: { kind: 'scale', workers: command.workers } })
        answer({ workers: this.#roster.target })
        break
      case 'stop':
        this.#stopAskers.push(asker)
        asker.progress(`workers that are leaving: ${this.#roster.workers.length}`)
        this.#stopGracefully('tsgi ctl stop')
        break
      case 'reload':
        this.#reloads.ask(asker)
        this.#hear({ kind: 'command', command: { kind: 'reload' } })
        break
    }
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
      this.#sleepUntil(this.#turn())
      this.#start.observe(this.#roster)
    })
  }

  /** @returns when the next turn is due, if nothing happens before. */
  #turn(): number {
    this.#pulse.beat()
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const { actions, wakeAtMs } = plan(this.#roster, this.#reloads.newestOptions, monotonicMs())
      if (actions.length === 0) return wakeAtMs
      for (const action of actions) {
        const pid = this.#act(action)
        this.#roster = fold(this.#roster, { kind: 'acted', action, pid }, monotonicMs())
      }
    }
    this.#log.error({ roster: this.#roster }, 'the plan does not come to rest; this is a bug in tsgi')
    return monotonicMs() + NEXT_TRY_MS
  }

  #sleepUntil(wakeAtMs: number): void {
    clearTimeout(this.#alarm)
    if (wakeAtMs === Number.POSITIVE_INFINITY) return
    // A timer may fire a millisecond early, when there is nothing to do yet.
    const delayMs = Math.ceil(Math.max(0, wakeAtMs - monotonicMs())) + 1
    this.#alarm = setTimeout(() => this.#soon(), delayMs)
  }

  /** @returns the pid, for a spawn. */
  #act(action: Action): number | undefined {
    switch (action.kind) {
      case 'spawn':
        return this.#spawn(action)
      case 'drain':
      case 'quit':
      case 'kill':
        this.#dismiss(action)
        break
      case 'configure':
        this.#reloads.begin(action.generation)
        break
      case 'fail-reload':
        break
      case 'commit-reload':
        this.#reloads.commit()
        break
      case 'drop-reload':
        this.#reloads.drop(action.generation, action.failure)
        break
      case 'exit':
        this.#exit(action.code)
        break
    }
    return undefined
  }

  #spawn({ id, slot, generation, why }: Extract<Action, { kind: 'spawn' }>): number | undefined {
    const setup = this.#reloads.setupOf(generation)
    try {
      const worker = this.#start.startWorker(slot, setup, {
        message: (message) => this.#heard(id, message, setup.listeners),
        handedOver: (connection, handle) => this.#distribution.passOn(connection, handle),
        misspoke: (error) => this.#misspoke(id, error),
        exit: (exit) => this.#exited(id, exit),
      })
      this.#processes.set(id, worker)
      this.#log.info({ slot, generation, workerPid: worker.pid }, `worker ${slot} starts (pid ${worker.pid}): ${why}`)
      return worker.pid
    } catch (thrown) {
      const exit: WorkerExit = { code: null, signal: null, error: asError(thrown).message }
      // Not at once: this worker is not in the roster yet.
      setImmediate(() => this.#exited(id, exit))
      return undefined
    }
  }

  #dismiss(action: Extract<Action, { kind: 'drain' | 'quit' | 'kill' }>): void {
    const worker = this.#worker(action.id)
    const child = this.#processes.get(action.id)
    if (action.kind === 'kill') {
      this.#log.warn(fieldsOf(worker), `${nameOf(worker)} is killed with ${action.signal}: ${action.why}`)
      child?.kill(action.signal)
    } else if (action.kind === 'drain') {
      this.#log.info(fieldsOf(worker), `${nameOf(worker)} drains: ${action.why}`)
      const last = this.#roster.stop !== undefined
      child?.send({ kind: 'drain', graceMs: action.graceMs, why: action.why, last })
      if (last) this.#distribution.handLast(action.id, () => this.#closeSockets())
    } else {
      this.#log.info(fieldsOf(worker), `${nameOf(worker)} is told to leave: ${action.why}`)
      child?.send({ kind: 'quit', why: action.why })
    }
  }

  /** A connection may come over TCP until the last copy is closed: by whoever has accepted all before it. */
  #closeSockets(): void {
    this.#start.sockets.keepOnly([])
    for (const worker of this.#processes.values()) worker.send({ kind: 'sockets-closed' })
  }

  #heard(id: number, message: WorkerMessage, listeners: readonly Listener[]): void {
    const phase = this.#worker(id)?.phase
    if (message.kind === 'want-sockets' && (phase === 'booting' || phase === 'ready')) {
      this.#distribution.handListeners(id, listeners)
    }
    this.#hear({ kind: 'message', id, message })
    const worker = this.#worker(id)
    reportMessage(this.#log, worker, message)
    if (worker !== undefined && message.kind === 'ready') this.#countReady(worker)
  }

  #countReady({ generation, slot }: WorkerView): void {
    const { reload, workers, target } = this.#roster
    const up = workers.filter((worker) => worker.generation === generation && worker.phase === 'ready').length
    if (reload?.phase === 'booting') this.#reloads.progress(`worker ${slot} is ready: ${up} of ${reload.target}`)
    if (this.#announced || up < target) return
    this.#announced = true
    this.#log.info({ workers: up }, `ready: ${workersText(up)} in ${inSeconds(this.uptimeMs)}`)
  }

  #misspoke(id: number, error: Error): void {
    const worker = this.#worker(id)
    const fields = { ...fieldsOf(worker), error: error.message }
    this.#log.error(fields, `${nameOf(worker)} broke its channel to the master and is killed: ${error.message}`)
    this.#processes.get(id)?.kill('SIGKILL')
  }

  #exited(id: number, exit: WorkerExit): void {
    this.#processes.delete(id)
    const worker = this.#worker(id)
    if (worker !== undefined) reportExit(this.#log, worker, exit)
    this.#hear({ kind: 'exited', id, exit })
    const { workers, generation } = this.#roster
    if (workers.every((one) => one.generation >= generation)) this.#reloads.settle()
  }

  /** The addresses go first: nobody can connect to what is about to end, and what waits already is still accepted. */
  #stopGracefully(why: string): void {
    for (const problem of this.#start.sockets.withdraw()) this.#log.error({}, problem)
    this.#hear({ kind: 'command', command: { kind: 'stop', how: 'graceful', why } })
  }

  #reopenLogs(): ControlOutcome {
    const outcome = this.#start.reopenLogs()
    for (const worker of this.#processes.values()) worker.send({ kind: 'reopen-logs' })
    return outcome
  }

  #exit(code: number): void {
    this.#reloads.settle()
    this.#reloads.giveUp()
    for (const asker of this.#stopAskers) asker.done({ kind: 'ok', result: {} })
    this.#stopAskers = []
    this.#log.info({ exitCode: code }, 'the last worker has left')
    this.#start.exit(code, this.#roster.stop?.failure)
  }

  #worker(id: number): WorkerView | undefined {
    return this.#roster.workers.find((worker) => worker.id === id)
  }
}
