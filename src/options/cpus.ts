/** How many CPUs this process may use: its affinity mask, and the quota of its cgroup where there is one. */

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

const CGROUP_ROOT = '/sys/fs/cgroup'

/** At least 1. A quota of 1.5 CPUs allows 2 workers: with one, half a CPU would never be used. */
export function allowedCpus(): number {
  const quota = cgroupQuota(readText('/proc/self/cgroup'), (path) => readText(join(CGROUP_ROOT, path)))
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quota)))
}

/**
 * CPUs that the tightest cgroup on the way to the root allows (kernel, cgroup-v2.rst, "cpu.max": `$MAX $PERIOD`).
 * @param membership the text of /proc/self/cgroup; the version 2 line is `0::/path`
 * @param read gives the text of a file below the cgroup mount, or undefined
 * @returns Infinity where nothing limits
 */
export function cgroupQuota(membership: string | undefined, read: (path: string) => string | undefined): number {
  const path = /^0::(\/.*)$/m.exec(membership ?? '')?.[1]
  if (path === undefined) return Infinity
  let quota = Infinity
  for (let folder = path; ; folder = dirname(folder)) {
    const [max, period] = (read(join(folder, 'cpu.max')) ?? 'max 100000').trim().split(' ')
    const cpus = Number(max) / Number(period)
    if (cpus > 0) quota = Math.min(quota, cpus)
    if (folder === '/') return quota
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // No such file: no cgroup version 2 here, or no cpu controller in this group. Nothing limits then.
    return undefined
  }
}
