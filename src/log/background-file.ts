/**
 * A file written in the background, one write at a time. Not pino's destination: at exit that one retries every error for
 * ever (sonic-boom 4, flushSync: EPIPE and ENOSPC too), so that a full disk or a closed pipe keeps a worker from leaving.
 */

import { close, closeSync, openSync, readSync, statSync, write, writeSync } from 'node:fs'
import { cannotOpen, isBusy, tellNotReopened, tellOnce } from './faults.ts'

interface BackgroundFile {
  /** @param lines ASCII */
  write(lines: string): void
  /** Opens the file anew by its name; what waits goes to the old one. */
  reopen(): void
  /** Returns when `lines` and all that waits was written, or given up. A write in flight goes on in the background. */
  writeSync(lines: string): void
  close(): void
}

/** What may wait for a slow disk; beyond it lines are dropped rather than memory eaten. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024
const RETRY_MS = 20
/** A pipe whose reader sleeps must not keep the process from leaving. */
const MAX_SYNC_RETRIES = 50
const NEWLINE = 0x0a
const CLOSED = -1

/**
 * @param maxWriteBytes of one write to the descriptor; what was handed over in one piece is never cut
 * @throws TsgiError TSGI_USAGE where the file cannot be opened
 */
export function openBackgroundFile(target: string | number, maxWriteBytes: number): BackgroundFile {
  let fd = openFirst(target)
  const waiting: Buffer[] = []
  let waitingBytes = 0
  /** The descriptor of the write in flight; undefined when none is. */
  let busyFd: number | undefined
  const onFault = tellOnce(target)
  /** `unknown` at first, and after a write that failed: what other workers wrote to the same file may have been cut. */
  let endsIn: 'line' | 'stump' | 'unknown' = 'unknown'
  const wrote = (bytes: Buffer, writtenBytes: number) => {
    if (writtenBytes === bytes.length) endsIn = 'line'
    else if (writtenBytes > 0) endsIn = bytes[writtenBytes - 1] === NEWLINE ? 'unknown' : 'stump'
    else if (endsIn === 'line') endsIn = 'unknown'
  }
  /** A full disk costs lines; what follows when there is room again must not become part of a broken one. */
  const onOwnLine = (bytes: Buffer): Buffer =>
    endsIn === 'stump' || (endsIn === 'unknown' && endsInStump(target))
      ? Buffer.concat([Buffer.of(NEWLINE), bytes])
      : bytes

  const pump = () => {
    if (busyFd !== undefined) return
    const bytes = takeUpTo(maxWriteBytes, waiting)
    if (bytes === undefined) return
    waitingBytes -= bytes.length
    busyFd = fd
    put(busyFd, onOwnLine(bytes), 0)
  }
  const put = (into: number, bytes: Buffer, from: number) => {
    write(into, bytes, from, bytes.length - from, null, (error, written) => {
      if (error !== null && isBusy(error)) {
        setTimeout(put, RETRY_MS, into, bytes, from)
      } else if (error === null && from + written < bytes.length) {
        put(into, bytes, from + written)
      } else {
        if (error !== null) onFault(error)
        if (into === fd) wrote(bytes, error === null ? bytes.length : from)
        done(into)
      }
    })
  }
  const done = (into: number) => {
    busyFd = undefined
    if (into !== fd && typeof target === 'string') close(into, (error) => error !== null && onFault(error))
    pump()
  }
  const flush = () => {
    // Of all that waits, as each piece would wait for the same reader.
    const patience = { retries: MAX_SYNC_RETRIES }
    for (let lines = waiting.shift(); lines !== undefined; lines = waiting.shift()) {
      const bytes = onOwnLine(lines)
      wrote(bytes, putSync(fd, bytes, patience, onFault))
    }
    waitingBytes = 0
  }
  const leave = (old: number) => {
    // A write in flight closes it when it is done.
    if (typeof target === 'string' && busyFd !== old) closeSync(old)
  }
  return {
    write(lines) {
      if (waitingBytes + lines.length > MAX_WAITING_BYTES) {
        onFault(new Error('it takes lines more slowly than they come; some were dropped'))
        return
      }
      waiting.push(Buffer.from(lines, 'latin1'))
      waitingBytes += lines.length
      pump()
    },
    reopen() {
      if (typeof target === 'number' || fd === CLOSED) return
      flush()
      const old = fd
      try {
        fd = openSync(target, 'a')
      } catch (error) {
        tellNotReopened(target, error)
        return
      }
      endsIn = 'unknown'
      leave(old)
    },
    writeSync(lines) {
      waiting.push(Buffer.from(lines, 'latin1'))
      flush()
    },
    close() {
      flush()
      const old = fd
      fd = CLOSED
      leave(old)
    },
  }
}

function takeUpTo(maxBytes: number, waiting: Buffer[]): Buffer | undefined {
  let count = 0
  let total = 0
  for (const { length } of waiting) {
    if (count > 0 && total + length > maxBytes) break
    count += 1
    total += length
  }
  const taken = waiting.splice(0, count)
  return taken.length > 1 ? Buffer.concat(taken, total) : taken[0]
}

function openFirst(target: string | number): number {
  if (typeof target === 'number') return target
  try {
    return openSync(target, 'a')
  } catch (error) {
    throw cannotOpen(target, error)
  }
}

/** @returns how many of the bytes were written */
function putSync(fd: number, bytes: Buffer, patience: { retries: number }, onFault: (error: Error) => void): number {
  let from = 0
  while (from < bytes.length) {
    try {
      from += writeSync(fd, bytes, from)
    } catch (error) {
      if (!isBusy(error)) {
        onFault(error instanceof Error ? error : new Error(String(error)))
        break
      }
      if (patience.retries === 0) break
      patience.retries -= 1
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
  return from
}

/** Of a file: what else there is cannot be looked at without taking from it. */
function endsInStump(target: string | number): boolean {
  if (typeof target === 'number') return false
  try {
    const found = statSync(target)
    if (!found.isFile() || found.size === 0) return false
    const fd = openSync(target, 'r')
    try {
      const last = Buffer.alloc(1)
      return readSync(fd, last, 0, 1, found.size - 1) === 1 && last[0] !== NEWLINE
    } finally {
      closeSync(fd)
    }
  } catch {
    // Moved away meanwhile, or not for this user to read.
    return false
  }
}
