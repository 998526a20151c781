/** The sockets of this network namespace, as the tables in /proc/net show them. Empty where there is no such table. */

import { readFileSync } from 'node:fs'

interface UnixSocket {
  readonly inode: string
  readonly path: string | undefined
  /** A stream socket that listens, or is only bound. */
  readonly mayListen: boolean
}

/** SOCK_STREAM. */
const UNIX_STREAM = '0001'
/** SS_UNCONNECTED: what a socket is that listens or is only bound. */
const UNIX_UNCONNECTED = '01'

/** /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path, where the path may be absent, and may contain spaces. */
export function unixSockets(): readonly UnixSocket[] {
  return readTable('unix').flatMap((line) => {
    const [, type, state, inode, path] = /^\S+ \S+ \S+ \S+ (\S+) (\S+) +(\d+)(?: (.+))?$/.exec(line) ?? []
    return inode === undefined ? [] : [{ inode, path, mayListen: type === UNIX_STREAM && state === UNIX_UNCONNECTED }]
  })
}

interface IpSocket {
  readonly inode: string
  readonly port: number
  readonly listens: boolean
}

/** Columns of /proc/net/tcp and its like, numbers in hexadecimal: sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode. */
const LOCAL_ADDRESS = 1
const STATE = 3
const INODE = 9
/** TCP_LISTEN of the kernel; an unconnected UDP socket has 07. */
const LISTENS = '0A'

export function ipSockets(): readonly IpSocket[] {
  return ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'].flatMap(readTable).map((line) => {
    const columns = line.trim().split(/\s+/)
    const port = Number.parseInt(columns[LOCAL_ADDRESS]?.split(':')[1] ?? '', 16)
    return { inode: columns[INODE] ?? '', port, listens: columns[STATE] === LISTENS }
  })
}

function readTable(name: string): readonly string[] {
  try {
    return readFileSync(`/proc/net/${name}`, 'utf8').split('\n')
  } catch {
    // Not Linux, or a kernel without that protocol.
    return []
  }
}
