import { performance } from 'node:perf_hooks'

/** Milliseconds on a clock that only goes forward. Every deadline is measured with it; wall time is for logs alone. */
export const monotonicMs = (): number => performance.now()
