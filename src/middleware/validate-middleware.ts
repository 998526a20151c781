/** The rules for what stands between a server and an application (PEP 3333, "Middleware: Components that Play Both Sides"). */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Middleware } from '../application.ts'
import { type CallWatch, type ValidateOptions, watched } from './validate.ts'

interface Pair {
  outer: CallWatch | undefined
  readonly inner: CallWatch[]
}

/**
 * The same middleware, validated from both sides, and with them compared: it neither reads ahead nor leaves a body open, it neither
 * adds nor swallows excInfo, and it takes no variables away from the application.
 */
export function validateMiddleware(
  middleware: Middleware,
  { onViolation = 'throw' }: ValidateOptions = {},
): Middleware {
  const pairs = new AsyncLocalStorage<Pair>()
  return (application) => {
    const inside = watched(
      application,
      onViolation,
      (inner) => {
        const pair = pairs.getStore()
        if (pair?.outer === undefined) return
        const { outer } = pair
        pair.inner.push(inner)
        checkKeys(outer, inner)
        inner.body.onPull = () => checkPull(outer, inner)
      },
      'validate (inside)',
    )
    const outside = watched(
      middleware(inside),
      onViolation,
      (outer) => {
        const pair = pairs.getStore()
        if (pair === undefined) return
        pair.outer = outer
        // Registered before the callbacks of the layers inside, so it runs after theirs.
        outer.environ['tsgi.after'](() => compare(pair, outer))
      },
      'validate (outside)',
    )
    return (environ, startResponse) => pairs.run({ outer: undefined, inner: [] }, () => outside(environ, startResponse))
  }
}

/** A body that waits may need several chunks for one of its own; none may be taken before it is asked for any. */
function checkPull(outer: CallWatch, inner: CallWatch): void {
  if (inner.body.pulls <= outer.body.pulls || (outer.waits && outer.body.pulls > 0)) return
  inner.violations.report(
    `the application was asked for ${inner.body.pulls} chunks when the middleware had been asked for ${outer.body.pulls}`,
  )
}

function checkKeys(outer: CallWatch, inner: CallWatch): void {
  const missing = Object.keys(outer.environ).filter((key) => !Object.hasOwn(inner.environ, key))
  if (missing.length > 0) inner.violations.report(`the middleware took away ${missing.join(', ')}`)
}

function compare({ inner }: Pair, outer: CallWatch): void {
  for (const call of inner) {
    if (call.state.returned && !call.body.closed)
      outer.violations.note('the middleware did not close the body of the application')
    if (call.state.excInfoCalls > outer.state.excInfoCalls) outer.violations.note('the middleware swallowed an excInfo')
  }
  const given = inner.reduce((sum, call) => sum + call.state.excInfoCalls, 0)
  // Who answers in place of an application that failed, as an error page does, has an error to give.
  const wasCalled = inner.some(({ state }) => state.started || state.failed)
  if (inner.length > 0 && outer.state.excInfoCalls > given && !wasCalled) {
    outer.violations.note('the middleware added an excInfo')
  }
}
