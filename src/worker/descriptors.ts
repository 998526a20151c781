/**
 * File descriptors, before there are none: then libuv accepts what waits and closes it unserved (uv__emfile_trick), and the
 * application can open nothing. A worker stops accepting earlier: connections wait in the kernel, or another worker takes them.
 */

import { readFileSync } from 'node:fs'

/** What stays free for the application, and for the worker itself. */
const RESERVE = 64
/** Of a limit that is small, this part. */
const RESERVED_PART = 1 / 8

export class Descriptors {
  readonly limit: number
  readonly #scarceFrom: number

  constructor(limit = openFilesLimit()) {
    this.limit = limit
    this.#scarceFrom = limit - Math.min(RESERVE, Math.floor(limit * RESERVED_PART))
  }

  /** @param fd opened just now: the kernel gives out the lowest that is free (open(2)), so all below it are in use */
  areScarce(fd: number): boolean {
    return fd >= this.#scarceFrom
  }
}

/** The soft limit, which Node has raised to the hard one when it started. */
function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+) /m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // Not Linux: the limit is met when it is met.
    return Number.POSITIVE_INFINITY
  }
}
