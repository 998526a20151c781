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
  if (unix !== undefined) return unix.type !== UNIX_STREAM || unix.state !== UNIX_UNCONNECTED
  const row = ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6']
    .flatMap((table) => rowsOf(`/proc/net/${table}`))
    .find((columns) => columns[TCP_INODE] === inode)
  return row !== undefined && row[TCP_STATE] !== TCP_LISTEN
}

/** Columns of /proc/net/tcp: sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode. */
const TCP_STATE = 3
const TCP_INODE = 9
/** Of the kernel; an unconnected UDP socket has 07. */
const TCP_LISTEN = '0A'
/** Of /proc/net/unix: SOCK_STREAM, and what a socket is that listens or is only bound (SS_UNCONNECTED). */
const UNIX_STREAM = '0001'
const UNIX_UNCONNECTED = '01'

/** `'none'`: no socket. Undefined: /proc does not tell. */
function inodeOf(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? 'none'
  } catch {
    // Not Linux, or no such descriptor: using it will tell.
    return undefined
  }
}

interface UnixSocket {
  readonly inode: string
  readonly type: string
  readonly state: string
  readonly path: string | undefined
}

/** Num RefCount Protocol Flags Type St Inode Path, where the path may be absent, and may contain spaces. */
function unixSockets(): readonly UnixSocket[] {
  return readTable('/proc/net/unix').flatMap((line) => {
    const row = /^\S+ \S+ \S+ \S+ (\S+) (\S+) +(\d+)(?: (.+))?$/.exec(line)
    const [, type, state, inode, path] = row ?? []
    return type === undefined || state === undefined || inode === undefined ? [] : [{ inode, type, state, path }]
  })
}

const rowsOf = (path: string): readonly string[][] => readTable(path).map((line) => line.trim().split(/\s+/))

function readTable(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    // Not Linux, or a kernel without that protocol.
    return []
  }
}
