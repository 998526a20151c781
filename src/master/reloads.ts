/** Reloads, carried out: the options are read again, their sockets bound, and whoever asked is told how it went. */

import { asError, ERRORS, TsgiError } from '../errors.ts'
import type { Reloaded } from '../options/reload.ts'
import type { Options } from '../options/table.ts'
import type { Failure } from './actions.ts'
import type { Asker } from './control.ts'
import type { RosterEvent } from './fold.ts'
import { ReloadAskers } from './reload-askers.ts'
import { errorField, type MasterLog } from './report.ts'
import type { Roster } from './roster.ts'
import type { Listener, Sockets } from './sockets.ts'

/** What the workers of one generation are started with. */
export interface Setup {
  readonly generation: number
  readonly options: Options
  readonly needRestart: Reloaded['needRestart']
  readonly listeners: readonly Listener[]
}

interface ReloadsStart {
  readonly sockets: Pick<Sockets, 'bind' | 'keepOnly'>
  readonly log: MasterLog
  /** Reads the options anew. */
  readonly reload: () => Promise<Reloaded>
  /** New options are in force. */
  readonly adopt: (options: Options) => void
  readonly roster: () => Roster
  readonly hear: (event: RosterEvent) => void
}

/**
 * A reload is over when the old workers have stopped accepting. Those with nothing open leave at once; the others had this long
 * to hear of it.
 */
const SETTLE_MS = 1000

export class Reloads {
  readonly #start: ReloadsStart
  readonly #askers = new ReloadAskers()
  /** Of the generation that serves. */
  #setup: Setup
  /** Of the generation that comes up. */
  #next: Setup | undefined
  /** Set while a reload waits for its old workers to let go. */
  #settling: NodeJS.Timeout | undefined

  constructor(setup: Setup, start: ReloadsStart) {
    this.#setup = setup
    this.#start = start
  }

  /** Of the generation that serves. */
  get setup(): Setup {
    return this.#setup
  }

  get newestOptions(): Options {
    return (this.#next ?? this.#setup).options
  }

  setupOf(generation: number): Setup {
    return this.#next?.generation === generation ? this.#next : this.#setup
  }

  /** A command of the control socket: told of the next reload to begin. */
  ask(asker: Asker): void {
    this.#askers.add(asker)
    const { stop, reload } = this.#start.roster()
    if (stop !== undefined) this.giveUp()
    else if (reload !== undefined) asker.progress('another reload is under way; this one comes next')
  }

  progress(text: string): void {
    this.#askers.progress(text)
  }

  begin(generation: number): void {
    this.settle()
    this.#askers.begin()
    this.progress('reading the configuration')
    void this.#configure(generation)
  }

  async #configure(generation: number): Promise<void> {
    const { reload, sockets, hear } = this.#start
    let setup: Setup
    try {
      const reloaded = await reload()
      if (!this.#isUnderWay(generation)) return
      setup = { generation, ...reloaded, listeners: await sockets.bind(reloaded.options) }
    } catch (thrown) {
      hear({ kind: 'not-configured', generation, failure: configurationFailure(thrown) })
      return
    }
    if (this.#isUnderWay(generation)) {
      this.#next = setup
      this.progress(`generation ${generation} comes up`)
      hear({ kind: 'configured', generation, workers: setup.options.workers })
    } else {
      sockets.keepOnly(this.#setup.listeners)
    }
  }

  #isUnderWay(generation: number): boolean {
    const { reload } = this.#start.roster()
    return reload?.generation === generation && reload.failure === undefined
  }

  commit(): void {
    this.#setup = this.#next ?? this.#setup
    this.#next = undefined
    const { generation, options, listeners } = this.#setup
    this.#start.sockets.keepOnly(listeners)
    this.#start.adopt(options)
    this.#warnOfRestart()
    this.#start.log.debug({ generation }, `generation ${generation} is ready, the old workers drain`)
    this.#settling = setTimeout(() => this.settle(), SETTLE_MS)
  }

  #warnOfRestart(): void {
    for (const { flag, configKey } of this.#setup.needRestart) {
      const message = `${flag} (${configKey} in the configuration file) has another value than at the start: restart to change it`
      this.#start.log.warn({ option: configKey }, message)
      this.progress(message)
    }
  }

  /** Tells that the reload is over, if one is waiting to be. */
  settle(): void {
    if (this.#settling === undefined) return
    clearTimeout(this.#settling)
    this.#settling = undefined
    const { generation, needRestart } = this.#setup
    this.#start.log.info({ generation }, `reloaded: generation ${generation} serves`)
    const waiting = needRestart.length > 0 ? { needRestart: needRestart.map(({ flag }) => flag) } : {}
    this.#askers.end({ kind: 'ok', result: { generation, ...waiting } })
  }

  drop(generation: number, failure: Failure): void {
    const { log, sockets, roster } = this.#start
    this.#next = undefined
    if (roster().stop === undefined) sockets.keepOnly(this.#setup.listeners)
    const message = `the reload failed, generation ${this.#setup.generation} goes on: ${failure.message}`
    log.error({ generation, ...errorField(failure) }, message)
    this.#askers.end({ kind: 'failed', ...failure })
  }

  /** No reload will come any more. */
  giveUp(): void {
    this.#askers.giveUp('tsgi is stopping')
  }
}

/** What is wrong with a configuration needs its own stack, and none of ours. */
function configurationFailure(thrown: unknown): Failure {
  if (thrown instanceof TsgiError) return { message: thrown.message, stack: '', exitCode: thrown.exitCode }
  const { message, stack = '' } = asError(thrown)
  return { message, stack, exitCode: ERRORS.TSGI_USAGE.exitCode }
}
