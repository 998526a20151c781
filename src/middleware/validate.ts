/** Checks both sides of the interface: around an application in tests, or around and inside a middleware. */

import type { Application, Body, Environ } from '../application.ts'
import { isPromiseLike } from '../gateway/promise-like.ts'
import { copyEnviron } from './copy-environ.ts'
import { trackFileBodies } from './file-bodies.ts'
import { passExtensions } from './pass-extensions.ts'
import { type BodyWatch, checkedBody } from './validate-body.ts'
import { checkEnviron } from './validate-environ.ts'
import { ResponseState } from './validate-response.ts'
import { checkedErrors, checkedInput, Readings } from './validate-streams.ts'
import { type OnViolation, Violations } from './violations.ts'

export interface ValidateOptions {
  /** Default `throw`. */
  readonly onViolation?: OnViolation
}

/** How long an application may go on after its request was given up before that is worth a line. */
const DEAF_MS = 1000

/**
 * The same application, with every rule of the interface checked on the way in and out. Transparent to what works: arrays stay
 * arrays, file bodies file bodies, bodies are closed as before. Made for tests and `tsgi check`; it costs some 20 us a request.
 */
export function validate(application: Application, { onViolation = 'throw' }: ValidateOptions = {}): Application {
  return watched(application, onViolation, () => undefined)
}

/** What one call of a validated application did. */
export interface CallWatch {
  readonly environ: Environ
  readonly state: ResponseState
  readonly violations: Violations
  readonly body: BodyWatch
  readonly readings: Readings
  /** The returned body can wait for more than one chunk of another body before it gives one. */
  waits: boolean
}

/** @param onCall told of each call, before the application is */
export function watched(
  application: Application,
  onViolation: OnViolation,
  onCall: (watch: CallWatch) => void,
  who = 'validate',
): Application {
  return (...args: readonly [Environ, Parameters<Application>[1]]) => {
    const [environ, startResponse] = args
    const violations = new Violations(onViolation, environ?.['tsgi.errors'], who)
    if (args.length !== 2) violations.report(`an application is called with 2 arguments, not ${args.length}`)
    for (const fault of checkEnviron(environ)) violations.report(fault)
    if (typeof startResponse !== 'function') violations.report('startResponse is no function')

    const state = new ResponseState(environ, violations)
    const body: BodyWatch = { pulls: 0, closed: false }
    const watch: CallWatch = { environ, state, violations, body, readings: new Readings(), waits: false }
    onCall(watch)
    atTheEnd(watch)
    const inner = checkedEnviron(watch)
    const isFileBody = trackFileBodies(inner)
    const start = state.wrapStart(startResponse)
    passExtensions(inner, start, startResponse, () => state.handOver())
    const take = (returned: unknown): Body => {
      state.returned = true
      watch.waits = typeof returned === 'object' && returned !== null && Symbol.asyncIterator in returned
      return checkedBody(returned, state, violations, body, isFileBody)
    }
    const fail = (error: unknown): never => {
      state.failed = true
      throw error
    }
    let returned: unknown
    try {
      returned = application(inner, start)
    } catch (error) {
      return fail(error)
    }
    return isPromiseLike(returned) ? Promise.resolve(returned).then(take, fail) : take(returned)
  }
}

function checkedEnviron({ environ, state, violations, readings }: CallWatch): Environ {
  const copy = copyEnviron(environ)
  copy['tsgi.input'] = checkedInput(environ['tsgi.input'], violations, () => state.over, readings)
  copy['tsgi.errors'] = checkedErrors(environ['tsgi.errors'], violations)
  return copy
}

function atTheEnd({ environ, state, violations, body, readings }: CallWatch): void {
  const { 'tsgi.signal': signal } = environ
  environ['tsgi.after'](() => {
    state.over = true
    // Who is stopped half-way has no occasion to wait.
    if (state.returned && !signal.aborted) {
      for (const method of readings.unawaited) violations.warn(`nobody waited for what tsgi.input.${method} gives`)
    }
    if (state.returned && body.pulls > 0 && !body.closed) violations.note('the server did not close the body')
  })
  signal.addEventListener(
    'abort',
    () => {
      const late = () => {
        if (!state.returned && !state.failed)
          violations.warn(`the application runs on ${DEAF_MS} ms after its request was given up: tsgi.signal`)
      }
      setTimeout(late, DEAF_MS).unref()
    },
    { once: true },
  )
}
