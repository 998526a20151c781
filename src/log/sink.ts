/** Where the process log goes: a file, or a descriptor that is open already. */

import { closeSync, openSync } from 'node:fs'
import pino from 'pino'
import { cannotOpen, isBusy, tellNotReopened, tellOnce } from './faults.ts'

/** Lines that wait for a descriptor that takes none; beyond it they are dropped rather than memory eaten. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

/** Of a tenth of a second each, during which nothing else runs: then lines wait for the next one to be written. */
const MAX_BUSY_RETRIES = 10

export type Sink = ReturnType<typeof pino.destination>

/**
 * A log file, appended to, or a descriptor that is already open, written before `write` returns. A full disk costs lines,
 * never the process.
 * @throws TsgiError TSGI_USAGE where the file cannot be opened
 */
export function openSink(target: string | number): Sink {
  try {
    let retries = MAX_BUSY_RETRIES
    // Without it sonic-boom retries for ever: a reader that sleeps would stop the master, and each worker that has to say something.
    const retryEAGAIN = (): boolean => {
      if (retries === 0) return false
      retries -= 1
      return true
    }
    const sink = pino.destination({ dest: target, sync: true, maxLength: MAX_WAITING_BYTES, retryEAGAIN })
    sink.on('write', (bytes) => {
      // Each retry tells of none first.
      if (bytes > 0) retries = MAX_BUSY_RETRIES
    })
    const onFault = tellOnce(target)
    sink.on('error', (error) => {
      // It may read on; and where it is standard error, telling would wait for it.
      if (!isBusy(error)) onFault(error)
    })
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
