/**
 * The bytes of bodies live in buffers. Their objects are small, so V8 does not look for dead ones before some sixty megabytes
 * have gathered. A collection of the young objects after every few megabytes keeps a worker through which a gigabyte goes within
 * ten megabytes of what it was, and costs no more CPU than the late one does.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const BYTES_BETWEEN = 4 * 1024 * 1024

type Collect = (options: { readonly type: 'minor' }) => void

let passed = 0
let collect: Collect | undefined

/** Called with the size of each piece of a body that was read or written. */
export function countBodyBytes(bytes: number): void {
  passed += bytes
  if (passed < BYTES_BETWEEN) return
  passed = 0
  collect ??= findCollector()
  collect({ type: 'minor' })
}

/** Node hands it out to new contexts while the flag is set, and to the application never. */
function findCollector(): Collect {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  // Without it everything works, only with more memory.
  return typeof gc === 'function' ? (options) => void Reflect.apply(gc, undefined, [options]) : () => undefined
}
