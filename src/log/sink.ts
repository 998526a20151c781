/** Where the process log goes: a file, or a descriptor that is open already. */

import { closeSync, openSync } from 'node:fs'
import pino from 'pino'
import { cannotOpen, tellNotReopened, tellOnce } from './faults.ts'

/** Lines that wait for a descriptor that takes none; beyond it they are dropped rather than memory eaten. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

export type Sink = ReturnType<typeof pino.destination>

/**
 * A log file, appended to, or a descriptor that is already open, written before `write` returns. A full disk costs lines,
 * never the process.
 * @throws TsgiError TSGI_USAGE where the file cannot be opened
 */
export function openSink(target: string | number): Sink {
  try {
    const sink = pino.destination({ dest: target, sync: true, maxLength: MAX_WAITING_BYTES })
    sink.on('error', tellOnce(target))
    return sink
  } catch (error) {
    throw cannotOpen(target, error)
  }
}

/** @returns what kept the file from being opened, which was told; then the lines go on to the one that was open. */
export function reopenSink(sink: Sink, file: string): Error | undefined {
  try {
    // First here: a reopen of sonic-boom's own that fails leaves a listener behind, which closes a descriptor of others later.
    closeSync(openSync(file, 'a'))
    sink.reopen()
    return undefined
  } catch (error) {
    return tellNotReopened(file, error)
  }
}
