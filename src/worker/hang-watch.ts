/** The thread of `--trace-hangs`. It has no event loop: it sleeps, looks at the counter, and sleeps again. */

import { Session } from 'node:inspector'
import { workerData } from 'node:worker_threads'
import { monotonicMs } from '../clock.ts'
import { HANG, type HangWatch, silenceAfter } from './hang-trace.ts'

// Made by traceHangs, and by nobody else.
const { beats, beatMs, limitMs }: HangWatch = workerData

let seen = Atomics.load(beats, 0)
let silentMs = 0
/** To the main thread, while it hangs. */
let session: Session | undefined

for (;;) {
  const asleepSinceMs = monotonicMs()
  Atomics.wait(beats, 0, seen, beatMs)
  silentMs = silenceAfter(silentMs, monotonicMs() - asleepSinceMs, beatMs)
  const beat = Atomics.load(beats, 0)
  if (beat !== seen) {
    seen = beat
    silentMs = 0
    session?.disconnect()
    session = undefined
  } else if (session === undefined && silentMs >= limitMs) {
    session = new Session()
    session.connectToMainThread()
    session.post('Runtime.evaluate', { expression: `globalThis[Symbol.for('${HANG}')](${beat})` })
  }
}
