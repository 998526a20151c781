/** Ways to say which interface a plain function speaks: functions look alike, and their `length` says nothing. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FetchHandler } from './fetch/fetch.ts'

const MARK: unique symbol = Symbol.for('tsgi.interface')

type MarkedInterface = 'fetch' | 'node' | 'async'

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => unknown

/** `export default fetchHandler((request) => new Response('hi'))` */
export function fetchHandler<Handler extends FetchHandler>(handler: Handler): Handler {
  return mark(handler, 'fetch')
}

/** `export default nodeListener((req, res) => res.end('hi'))` */
export function nodeListener<Listener extends NodeListener>(listener: Listener): Listener {
  return mark(listener, 'node')
}

export function mark<Callable extends object>(callable: Callable, name: MarkedInterface): Callable {
  Object.defineProperty(callable, MARK, { value: name, configurable: true })
  return callable
}

export function markOf(exported: unknown): MarkedInterface | undefined {
  if (typeof exported !== 'function' && (typeof exported !== 'object' || exported === null)) return undefined
  const found: unknown = Reflect.get(exported, MARK)
  return found === 'fetch' || found === 'node' || found === 'async' ? found : undefined
}
