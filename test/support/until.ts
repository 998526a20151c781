import { setTimeout as delay } from 'node:timers/promises'

/**
 * Polls `condition` until it is true (or gives a value). For what sends no event: a file, a port, /proc.
 * @throws after `deadlineMs`, with `what` in the message
 */
export async function until<Value>(
  what: string,
  condition: () => Value | Promise<Value>,
  deadlineMs = 10_000,
): Promise<NonNullable<Exclude<Value, false>>> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const value = await condition()
    // The comparison says it, but the compiler does not subtract `false` from a type parameter.
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<Value, false>>
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await delay(20)
  }
}
