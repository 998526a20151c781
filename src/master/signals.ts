/** What each signal to the master means. docs/signals.md is generated from this table. */

export type SignalCommand = 'reload' | 'stop' | 'stop-quickly' | 'reopen-logs' | 'more' | 'fewer'

interface SignalRow {
  readonly command: SignalCommand
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
  SIGTTIN: { command: 'more', help: 'One worker more.' },
  SIGTTOU: { command: 'fewer', help: 'One worker fewer, down to one.' },
})

export type HandledSignal = keyof typeof SIGNALS

/** Calls `handle` for each signal of the table. @returns stops that. */
export function watchSignals(handle: (command: SignalCommand, signal: HandledSignal) => void): () => void {
  const undo: (() => void)[] = []
  for (const [name, { command }] of Object.entries(SIGNALS)) {
    // Object.entries forgets that its keys are those of the table.
    const signal = name as HandledSignal
    const listener = (): void => handle(command, signal)
    process.on(signal, listener)
    undo.push(() => process.removeListener(signal, listener))
  }
  return () => {
    for (const each of undo) each()
  }
}
