/**
 * A connection that is to be handed over has to come to rest first. Where requests are multiplexed one may always be open, so
 * that moment never comes: new requests are then left in the kernel until those that are open are answered. Not for good, since
 * one of them may take its time, and the others on the connection are not to wait for it.
 */

/** Sweeps, one a second. */
const HELD_SWEEPS = 5

/**
 * @param sweeps since it was to be handed over
 * @param draining the worker leaves, and with it what is open at the end: worth more than one attempt
 */
export const holdsBack = (sweeps: number, draining: boolean): boolean =>
  (draining ? sweeps % (2 * HELD_SWEEPS) : sweeps) < HELD_SWEEPS

/** Who connects to send something does so by then. */
export const UNUSED_MS = 2000
