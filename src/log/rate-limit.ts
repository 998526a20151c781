/** Beyond this many keys the one said longest ago is forgotten: keys may be made from what a peer sent. */
const MAX_KEYS = 1000

/** So many different ones in one interval: who never makes the same mistake twice must not fill a disk with it. */
const MAX_SAID = 100

/** The same mistake of a front server or of its clients is said once in this time. */
export const REPEAT_INTERVAL_MS = 10_000

/**
 * Calls `say` at most once per key and interval, and for no more than 100 keys in one; `suppressed` is how often it was not
 * called since it last was for this key, or for keys that were too many.
 */
type RateLimit = (key: string, say: (suppressed: number) => void) => void

/** @param now milliseconds from a clock that never goes back */
export function createRateLimit(intervalMs: number, now: () => number = () => performance.now()): RateLimit {
  const seen = new Map<string, { saidAt: number; suppressed: number }>()
  let startedAt = Number.NEGATIVE_INFINITY
  let said = 0
  let tooMany = 0
  return (key, say) => {
    const at = now()
    const entry = seen.get(key)
    if (entry !== undefined && at - entry.saidAt < intervalMs) {
      entry.suppressed += 1
      return
    }
    if (at - startedAt >= intervalMs) {
      startedAt = at
      said = 0
    }
    if (said === MAX_SAID) {
      tooMany += 1
      return
    }
    said += 1
    // Deleted first: a Map keeps the order of insertion, and the first key is to be the one said longest ago.
    seen.delete(key)
    if (seen.size >= MAX_KEYS) {
      const [oldest] = seen.keys()
      if (oldest !== undefined) seen.delete(oldest)
    }
    seen.set(key, { saidAt: at, suppressed: 0 })
    const suppressed = tooMany + (entry?.suppressed ?? 0)
    tooMany = 0
    say(suppressed)
  }
}
