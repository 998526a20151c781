/** What /proc tells of a process to everybody: proc_pid_stat(5). */

import { readFileSync } from 'node:fs'

/** In what it counts times: 100 a second (USER_HZ). */
const TICK_MS = 10

export interface ProcessStat {
  /** Of its program, never its command line: that may have secrets. */
  readonly name: string
  readonly parent: string
  /** When it began, since the machine was started. */
  readonly beganMs: number
}

/** @returns undefined: it is gone by now, or this is not Linux */
export function processStat(pid: string | number): ProcessStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    // The process is gone by now.
    return undefined
  }
  // `4711 (node) S 4710 ...`: the name may itself contain blanks and brackets. The start is the twentieth field behind it.
  const [, name, rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(text) ?? []
  const fields = rest.split(' ')
  const parent = fields[1]
  return name === undefined || parent === undefined
    ? undefined
    : { name, parent, beganMs: TICK_MS * Number(fields[19]) }
}
