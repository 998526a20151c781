/**
 * Who has WebSockets open says good-bye when the worker drains: nothing else would end them. An application that was converted
 * in code (`fromAsync`, `fromNode`) and mounted somewhere is known to nobody but itself, so all stand in one list.
 */

export interface Leaving {
  /** Tells the peers that the server goes away. */
  goAway(): void
}

/** On the process: an application may bring a copy of tsgi of its own. */
const LIST: unique symbol = Symbol.for('tsgi.leaving')
const SAID: unique symbol = Symbol.for('tsgi.farewell')

function list(): Set<unknown> {
  const known: unknown = Reflect.get(process, LIST)
  if (known instanceof Set) return known
  const made = new Set<unknown>()
  Reflect.set(process, LIST, made)
  return made
}

/** @param one has one WebSocket more; where draining has begun, it says good-bye to that one too */
export function hasOpen(one: Leaving): void {
  list().add(one)
  if (Reflect.get(process, SAID) === true) one.goAway()
}

export function hasNoneOpen(one: Leaving): void {
  list().delete(one)
}

/** When draining begins. */
export function sayFarewell(): void {
  Reflect.set(process, SAID, true)
  for (const one of list()) if (isLeaving(one)) one.goAway()
}

const isLeaving = (one: unknown): one is Leaving =>
  typeof one === 'object' && one !== null && 'goAway' in one && typeof one.goAway === 'function'
