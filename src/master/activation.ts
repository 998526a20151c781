/** Sockets that the process was started with (systemd: sd_listen_fds(3)). */

import { readlinkSync } from 'node:fs'
import { ipSockets, unixSockets } from './socket-tables.ts'

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
  const inode = inodeOf(fd)
  const row = typeof inode === 'string' ? unixSockets().find((each) => each.inode === inode) : undefined
  return row?.path
}

/**
 * That a descriptor is certainly no stream socket that listens, or can. The tables in /proc are those of this network
 * namespace: a socket that is in none of them may come from another one, and listen; or it is a TCP socket that is only bound.
 */
export function isNoListener(fd: number): boolean {
  const inode = inodeOf(fd)
  if (inode === undefined) return false
  if (inode === 'none') return true
  const unix = unixSockets().find((each) => each.inode === inode)
  if (unix !== undefined) return !unix.mayListen
  const ip = ipSockets().find((each) => each.inode === inode)
  return ip !== undefined && !ip.listens
}

/** `'none'`: no socket. Undefined: /proc does not tell. */
function inodeOf(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? 'none'
  } catch {
    // Not Linux, or no such descriptor: using it will tell.
    return undefined
  }
}
