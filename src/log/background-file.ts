/**
 * A file written in the background, one write at a time. Not pino's destination: at exit that one retries every error for
 * ever (sonic-boom 4, flushSync: EPIPE and ENOSPC too), so that a full disk or a closed pipe keeps a worker from leaving.
 */

import { close, closeSync, openSync, write, writeSync } from 'node:fs'
import { cannotOpen, tellOnce } from './faults.ts'

export interface BackgroundFile {
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

/**
 * @param maxWriteBytes of one write to the descriptor; what was handed over in one piece is never cut
 * @throws TsgiError TSGI_USAGE where the file cannot be opened
 */
export function openBackgroundFile(target: string | number, maxWriteBytes: number): BackgroundFile {
  let fd = open(target)
  const waiting: Buffer[] = []
  let waitingBytes = 0
  /** The descriptor of the write in flight; undefined when none is. */
  let busyFd: number | undefined
  const onFault = tellOnce(target)

  const pump = () => {
    if (busyFd !== undefined) return
    const bytes = takeUpTo(maxWriteBytes, waiting)
    if (bytes === undefined) return
    waitingBytes -= bytes.length
    busyFd = fd
    put(busyFd, bytes)
  }
  const put = (into: number, bytes: Buffer) => {
    write(into, bytes, 0, bytes.length, null, (error, written) => {
      if (error !== null && isBusy(error)) {
        setTimeout(put, RETRY_MS, into, bytes)
      } else if (error === null && written < bytes.length) {
        put(into, bytes.subarray(written))
      } else {
        if (error !== null) onFault(error)
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
    for (let bytes = waiting.shift(); bytes !== undefined; bytes = waiting.shift()) putSync(fd, bytes, onFault)
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
      if (typeof target === 'number') return
      flush()
      const old = fd
      try {
        fd = open(target)
      } catch (error) {
        onFault(cannotOpen(target, error))
        return
      }
      leave(old)
    },
    writeSync(lines) {
      waiting.push(Buffer.from(lines, 'latin1'))
      flush()
    },
    close() {
      flush()
      const old = fd
      fd = -1
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

function open(target: string | number): number {
  if (typeof target === 'number') return target
  try {
    return openSync(target, 'a')
  } catch (error) {
    throw cannotOpen(target, error)
  }
}

function putSync(fd: number, bytes: Buffer, onFault: (error: Error) => void): void {
  let rest = bytes
  for (let retries = 0; rest.length > 0 && retries < MAX_SYNC_RETRIES; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (!isBusy(error)) {
        onFault(error instanceof Error ? error : new Error(String(error)))
        return
      }
      retries += 1
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY')
}
