import type { Readable } from 'node:stream'

/** A stream that was paused stays so when somebody listens to 'data', unless it forgets that: there is no other way to tell it. */
export function letFlow(stream: Readable): void {
  if (stream.readableFlowing !== false) return
  const state: unknown = Reflect.get(stream, '_readableState')
  if (typeof state === 'object' && state !== null) Reflect.set(state, 'flowing', null)
}
