/** Readings from /proc, Linux only: what a process costs while a test runs. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** USER_HZ is 100 on every Linux that Node runs on (getconf CLK_TCK). */
const msPerTick = 10

const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')

/** Resident memory now. 0 when the process is gone. */
export function rssBytes(pid: number): number {
  return memoryField(pid, 'VmRSS')
}

/** The most it ever was (VmHWM), or since `resetPeakRss`. */
export function peakRssBytes(pid: number): number {
  return memoryField(pid, 'VmHWM')
}

function memoryField(pid: number, field: string): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(match?.[1] ?? 0) * 1024
  } catch (error) {
    if (isGone(error)) return 0
    throw error
  }
}

/** User and system time so far, all threads. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in parentheses, may contain spaces: fields are counted after it. utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * msPerTick
}

export function childPids(pid: number): number[] {
  try {
    const children: number[] = []
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      children.push(...readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').map(Number))
    }
    return children.filter((child) => child > 0)
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

/** What each open descriptor leads to: `socket:[1234]`, `/path`, `pipe:[5]`. */
export function openDescriptors(pid: number): string[] {
  const targets: string[] = []
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      targets.push(readlinkSync(`/proc/${pid}/fd/${descriptor}`))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
  return targets
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}
