/** Which processes hold a socket, as far as /proc shows it to this user: whoever cannot bind an address wants to know who has it. */

import { readdirSync, readlinkSync } from 'node:fs'
import { type ProcessStat, processStat } from './process-stat.ts'

interface Holder extends ProcessStat {
  readonly pid: string
}

/**
 * @param inodes of the sockets, as the tables of /proc/net have them
 * @returns ` (node, pid 4711)`, to stand behind a noun; empty where nothing is known
 */
export function holdersText(inodes: readonly string[]): string {
  const links = new Set(inodes.map((inode) => `socket:[${inode}]`))
  const holders = links.size === 0 ? [] : entries('/proc').flatMap((pid) => holderOf(pid, links))
  const pids = new Set(holders.map(({ pid }) => pid))
  // Of a server and its workers the one that started the others: to stop it stops them all.
  const first = holders.filter(({ parent }) => !pids.has(parent))
  return first.length === 0 ? '' : ` (${first.map(({ name, pid }) => `${name}, pid ${pid}`).join('; ')})`
}

function holderOf(pid: string, links: ReadonlySet<string>): readonly Holder[] {
  if (!/^\d+$/.test(pid)) return []
  const folder = `/proc/${pid}/fd`
  if (!entries(folder).some((fd) => links.has(linkAt(`${folder}/${fd}`)))) return []
  const stat = processStat(pid)
  return stat === undefined ? [] : [{ pid, ...stat }]
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Another user's, gone by now, or not Linux.
    return []
  }
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // Closed by now.
    return ''
  }
}
