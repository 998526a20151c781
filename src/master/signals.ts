/** What each signal to the master means. docs/signals.md is generated from this table. */

export type SignalCommand = 'reload' | 'stop' | 'stop-quickly' | 'reopen-logs' | 'more' | 'fewer'

interface SignalRow {
  readonly command: SignalCommand | 'nothing'
  readonly help: string
}

const table = <Name extends NodeJS.Signals>(rows: Record<Name, SignalRow>): Readonly<Record<Name, SignalRow>> => rows

export const SIGNALS = table({
  SIGHUP: {
    command: 'reload',
    help: 'Reload the configuration and the application. New workers come up before any old one drains; when the new code does not load, the old keeps serving. During a reload: once more afterwards.',
  },
  SIGTERM: {
    command: 'stop',
    help: 'Stop gracefully: workers finish their requests, within --graceful-timeout.',
  },
  SIGQUIT: { command: 'stop', help: 'As SIGTERM.' },
  SIGINT: {
    command: 'stop-quickly',
    help: 'Stop quickly: requests in flight are aborted. A second one kills the workers at once.',
  },
  SIGUSR1: { command: 'reopen-logs', help: 'Open the log files again, after they were moved away.' },
  SIGUSR2: { command: 'nothing', help: 'Nothing: it is here because by default it would end the process.' },
  SIGTTIN: { command: 'more', help: 'One worker more.' },
  SIGTTOU: { command: 'fewer', help: 'One worker fewer, down to one.' },
})

type HandledSignal = keyof typeof SIGNALS

type Handle = (command: SignalCommand, signal: HandledSignal) => void

/** What a master that has not begun need not do: it reads everything anew as it is. */
const NO_NEWS: readonly SignalCommand[] = ['reload', 'reopen-logs']

/** Takes the signals of the table from its making on, and keeps what comes before there is somebody to carry it out. */
export class SignalWatch {
  readonly #listeners = new Map<HandledSignal, () => void>()
  readonly #early: (readonly [SignalCommand, HandledSignal])[] = []
  #handle: Handle = (command, signal) => {
    if (!NO_NEWS.includes(command)) this.#early.push([command, signal])
  }

  constructor() {
    for (const [name, { command }] of Object.entries(SIGNALS)) {
      // Object.entries forgets that its keys are those of the table.
      const signal = name as HandledSignal
      const listener = (): void => {
        if (command !== 'nothing') this.#handle(command, signal)
      }
      process.on(signal, listener)
      this.#listeners.set(signal, listener)
    }
  }

  /** From now on `handle` is called, at once for what came before. */
  handOver(handle: Handle): void {
    this.#handle = handle
    for (const [command, signal] of this.#early.splice(0)) handle(command, signal)
  }

  close(): void {
    for (const [signal, listener] of this.#listeners) process.removeListener(signal, listener)
  }
}
