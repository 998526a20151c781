/** Beyond this many keys the one said longest ago is forgotten: keys may be made from what a peer sent. */
const MAX_KEYS = 1000

/** The same mistake of a front server or of its clients is said once in this time. */
export const REPEAT_INTERVAL_MS = 10_000

/**
 * Calls `say` at most once per key and interval; `suppressed` is how often it was not called since it last was.
 */
export type RateLimit = (key: string, say: (suppressed: number) => void) => void

/** @param now milliseconds from a clock that never goes back */
export function createRateLimit(intervalMs: number, now: () => number = () => performance.now()): RateLimit {
  const seen = new Map<string, { saidAt: number; suppressed: number }>()
  return (key, say) => {
    const at = now()
    const entry = seen.get(key)
    if (entry !== undefined && at - entry.saidAt < intervalMs) {
      entry.suppressed += 1
      return
    }
    // Deleted first: a Map keeps the order of insertion, and the first key is to be the one said longest ago.
    seen.delete(key)
    if (seen.size >= MAX_KEYS) {
      const [oldest] = seen.keys()
      if (oldest !== undefined) seen.delete(oldest)
    }
    seen.set(key, { saidAt: at, suppressed: 0 })
    say(entry?.suppressed ?? 0)
  }
}
