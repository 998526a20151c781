/** Constant load of GETs and POSTs, and every request of it that got no 200. */

import { constantLoad, type Tally } from '../../support/load.ts'

export interface Counted {
  readonly total: number
  readonly failed: number
  /** Kept connections that the front server closed, on which a GET was asked again: no failures. */
  readonly retried: number
  /** By status or error: what an assertion shows when it fails. */
  readonly kinds: Readonly<Record<string, number>>
}

export interface Watch {
  readonly stop: () => Promise<Counted>
}

export interface LoadShape {
  /** Of each kind. */
  readonly connections?: number
  /**
   * nginx closes the connections that it keeps when it is reloaded, and cannot know what is on its way to it: HTTP lets
   * clients send a GET again then (RFC 9112 section 9.3.1), and they do; a POST they need not. So POSTs get a connection each, GETs are sent
   * again, and GETs over a connection each run beside them.
   */
  readonly frontReloads?: boolean
}

export function watchForFailures(port: number, { connections = 4, frontReloads = false }: LoadShape = {}): Watch {
  const url = `http://127.0.0.1:${port}`
  const post = { method: 'POST', body: 'a'.repeat(1000) }
  const kept = { connections, retryOnClosedConnection: frontReloads }
  const loads = [
    constantLoad({ url: `${url}/api/version`, ...kept }),
    constantLoad({ url: `${url}/api/upload`, ...post, connections, closeConnections: frontReloads }),
    constantLoad({ url: `${url}/api/slow?ms=50`, ...kept }),
  ]
  if (frontReloads) loads.push(constantLoad({ url: `${url}/api/version`, connections, closeConnections: true }))
  return {
    stop: async () => count(await Promise.all(loads.map((load) => load.stop()))),
  }
}

function count(tallies: readonly Tally[]): Counted {
  const kinds: Record<string, number> = {}
  let total = 0
  let retried = 0
  for (const tally of tallies) {
    total += tally.total
    retried += tally.retried
    for (const [kind, number] of [...Object.entries(tally.statuses), ...Object.entries(tally.errors)]) {
      if (kind !== '200') kinds[kind] = (kinds[kind] ?? 0) + number
    }
  }
  return { total, kinds, retried, failed: Object.values(kinds).reduce((sum, number) => sum + number, 0) }
}
