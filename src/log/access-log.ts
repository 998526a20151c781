/** The access log: a line per answered request, gathered and handed to the disk in the background. */

import { fstatSync } from 'node:fs'
import type { AccessEntry } from './access-atoms.ts'
import { compileAccessFormat } from './access-format.ts'
import { openBackgroundFile } from './background-file.ts'

export type { AccessEntry } from './access-atoms.ts'

interface AccessLogOptions {
  /** `off`, `json`, `combined`, or a format string (access-format.ts). */
  readonly format: string
  /** Appended to; standard output without it. */
  readonly file?: string | undefined
}

export interface AccessLog {
  write(entry: AccessEntry): void
  /** After the file was moved away (SIGUSR1): lines written before this call still go to the old one. */
  reopen(): void
  /** Writes out what was gathered, before it returns. */
  flush(): void
  close(): void
}

const STDOUT_FD = 1
const FLUSH_INTERVAL_MS = 1000
/** Each write wakes a thread: in pieces of 16 KB a line cost a tenth more. */
const GATHER_BYTES = 65536
/** What gathered while the disk was busy goes out in one write. */
const MAX_WRITE_BYTES = 1024 * 1024
/** POSIX, write(): up to PIPE_BUF bytes go into a pipe in one piece; lines of several workers must not mix. */
const PIPE_GATHER_BYTES = 4096

/**
 * @returns undefined for the format `off`
 * @throws TsgiError TSGI_USAGE for an unknown atom, or a file that cannot be opened
 */
export function createAccessLog({ format, file }: AccessLogOptions): AccessLog | undefined {
  if (format === 'off') return undefined
  const toLine = compileAccessFormat(format)
  const isPipe = file === undefined && !isRegularFile(STDOUT_FD)
  const gatherBytes = isPipe ? PIPE_GATHER_BYTES : GATHER_BYTES
  const sink = openBackgroundFile(file ?? STDOUT_FD, isPipe ? PIPE_GATHER_BYTES : MAX_WRITE_BYTES)
  // Lines are ASCII: its length is its size in bytes.
  let gathered = ''
  const take = () => {
    const lines = gathered
    gathered = ''
    return lines
  }
  const handOver = () => {
    if (gathered !== '') sink.write(take())
  }
  const flush = () => sink.writeSync(take())
  const timer = setInterval(handOver, FLUSH_INTERVAL_MS)
  timer.unref()
  process.on('exit', flush)
  return {
    write(entry) {
      const line = toLine(entry)
      if (gathered.length + line.length > gatherBytes) handOver()
      gathered += line
    },
    reopen() {
      flush()
      sink.reopen()
    },
    flush,
    close() {
      clearInterval(timer)
      process.off('exit', flush)
      flush()
      sink.close()
    },
  }
}

function isRegularFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    // A closed descriptor: nothing will be written whatever is answered here.
    return false
  }
}
