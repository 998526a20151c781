/** Sockets that the process was started with (systemd: sd_listen_fds(3)). */

import { readFileSync, readlinkSync } from 'node:fs'

/** SD_LISTEN_FDS_START */
const FIRST_FD = 3

/**
 * The descriptors that were passed to this very process. The variables are removed, so that no child takes them for its own.
 */
export function takeActivatedFds(environment: NodeJS.ProcessEnv, pid = process.pid): readonly number[] {
  const { LISTEN_PID, LISTEN_FDS } = environment
  delete environment['LISTEN_PID']
  delete environment['LISTEN_FDS']
  delete environment['LISTEN_FDNAMES']
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === undefined || !/^\d{1,4}$/.test(LISTEN_FDS)) return []
  return Array.from({ length: Number(LISTEN_FDS) }, (_, index) => FIRST_FD + index)
}

/** The path that a Unix socket is bound to; undefined when it is none, or where /proc does not tell. */
export function unixPathOf(fd: number): string | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    if (inode === undefined) return undefined
    for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
      const row = /^\S+ \S+ \S+ \S+ \S+ \S+ +(\d+) (.+)$/.exec(line)
      if (row?.[1] === inode) return row[2]
    }
  } catch {
    // Not Linux, or no such descriptor: using it will tell.
  }
  return undefined
}
