/** The variables as the front server sent them, kept with the environ that was made of them. */

import type { Environ } from '../application.ts'
import type { Params } from '../protocol/codec.ts'

export const SENT: unique symbol = Symbol('tsgi.sent')

/**
 * Names and values in turns: what was dropped or merged is in `environ` as it should be, so only the names are of use. A list
 * is gone through in a tenth of the time that V8 takes to enumerate an object of forty keys. Undefined where the environ holds
 * more than was sent. Whoever reads it must know that nobody has changed the environ since.
 */
export function sentVariables(environ: Environ): Params | undefined {
  return (environ as { readonly [SENT]?: Params })[SENT]
}
