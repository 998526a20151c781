/**
 * `--trace-hangs`: where the event loop stands still, said while it does. Nothing of this thread could: another one watches a
 * counter that a timer raises here (hang-watch.ts) and, where that stops, lets V8 interrupt what runs and call `say`. The stack of
 * that call is the answer.
 */

import { Worker as Thread } from 'node:worker_threads'
import { monotonicMs } from '../clock.ts'
import type { Log } from '../log/logger.ts'
import { ownModule } from '../own-module.ts'
import { isFrame } from '../stack-text.ts'

/** What the watching thread is given. */
export interface HangWatch {
  /** One cell: a number that changes while the event loop turns. */
  readonly beats: Int32Array<SharedArrayBuffer>
  readonly beatMs: number
  readonly limitMs: number
}

/** The thread can call only what a global name leads to: `(beat) => void` in `globalThis[Symbol.for(HANG)]`. */
export const HANG = 'tsgi.hang'

/** The limit is seen to within a fourth of it. */
const BEATS_WITHIN_LIMIT = 4
const MAX_BEAT_MS = 1000
/** V8's ten do not reach through a recursion, or a framework. */
const FRAMES = 50

/** @param underWay the requests that the application is in, as the log names them */
export function traceHangs(limitMs: number, log: Log, underWay: () => readonly string[]): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const beatMs = Math.min(limitMs / BEATS_WITHIN_LIMIT, MAX_BEAT_MS)
  let turnedAtMs = monotonicMs()
  const turn = (): void => {
    turnedAtMs = monotonicMs()
    Atomics.add(beats, 0, 1)
  }
  setInterval(turn, beatMs).unref()

  const say = (beat: number): void => {
    // What V8 does not interrupt, a large JSON for one, ends first: what runs now is not to blame.
    if (Atomics.load(beats, 0) !== beat) return
    const seconds = ((monotonicMs() - turnedAtMs) / 1000).toFixed(1)
    const err = new Error(`the event loop has not turned for ${seconds} s`)
    err.stack = stackAbove(say, err)
    log.warn({ err, requests: underWay() }, `a hang: ${err.message}, and is here`)
  }
  Object.defineProperty(globalThis, Symbol.for(HANG), { value: say })

  const workerData: HangWatch = { beats, beatMs, limitMs }
  // Nothing of what the operator has Node load or do in the application's thread is for this one.
  const thread = new Thread(ownModule('worker/hang-watch'), { workerData, execArgv: [], env: {} })
  thread.on('error', (err) => log.warn({ err }, '--trace-hangs does not work here'))
  thread.unref()
}

/** From what was interrupted on: neither `callee` nor the expression that called it. */
function stackAbove(callee: (beat: number) => void, error: Error): string {
  const usual = Error.stackTraceLimit
  Error.stackTraceLimit = Math.max(usual, FRAMES)
  try {
    Error.captureStackTrace(error, callee)
    const lines = String(error.stack).split('\n')
    const expression = lines.findIndex(isFrame)
    return lines.filter((_, index) => index !== expression).join('\n')
  } catch {
    // The application writes its stacks itself (Error.prepareStackTrace), and failed to.
    return error.message
  } finally {
    Error.stackTraceLimit = usual
  }
}

/** How long the event loop has not turned, after a sleep: no more than was meant to be slept, as in the rest of it all stood still. */
export const silenceAfter = (silentMs: number, sleptMs: number, beatMs: number): number =>
  silentMs + Math.min(sleptMs, beatMs)
