/** When a worker should be replaced: decided once a second from what it knows of itself; pure. */

interface RetireLimits {
  /** 0: never; the jitter was added when the worker started. */
  readonly maxRequests: number
  readonly maxMemoryBytes: number
  readonly maxLifetimeMs: number
}

interface WorkerAge {
  readonly requests: number
  readonly rssBytes: number
  readonly lifetimeMs: number
}

/** A worker that has just started is not replaced, whatever it reached: the limits would restart workers in a storm. */
const MIN_LIFETIME_MS = 10_000

/** The reason in words; undefined: it may stay. */
export function retireReason(age: WorkerAge, limits: RetireLimits): string | undefined {
  if (age.lifetimeMs < MIN_LIFETIME_MS) return undefined
  const { maxRequests, maxMemoryBytes, maxLifetimeMs } = limits
  if (maxRequests > 0 && age.requests >= maxRequests) return `${age.requests} requests served (--max-requests)`
  if (maxMemoryBytes > 0 && age.rssBytes > maxMemoryBytes) {
    return `${age.rssBytes} bytes of resident memory, more than ${maxMemoryBytes} (--max-memory)`
  }
  if (maxLifetimeMs > 0 && age.lifetimeMs >= maxLifetimeMs) return `${age.lifetimeMs} ms old (--max-lifetime)`
  return undefined
}

/**
 * `--max-requests` with its jitter, drawn once per worker so that they do not all leave together.
 * @param random 0 to 1
 */
export function withJitter(maxRequests: number, jitter: number, random: number): number {
  return maxRequests === 0 ? 0 : maxRequests + Math.floor(random * (jitter + 1))
}
