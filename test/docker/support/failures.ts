/** Constant load of GETs and POSTs, and every request of it that got no 200. */

import { constantLoad, type Tally } from '../../support/load.ts'

export interface Counted {
  readonly total: number
  readonly failed: number
  /** By status or error: what an assertion shows when it fails. */
  readonly kinds: Readonly<Record<string, number>>
}

export interface Watch {
  readonly stop: () => Promise<Counted>
}

export interface LoadShape {
  /** Of each kind. */
  readonly connections?: number
  /** A connection for each request: nginx closes kept ones when it is reloaded, and who is just writing to one is out of luck. */
  readonly closeConnections?: boolean
}

export function watchForFailures(port: number, { connections = 4, closeConnections = false }: LoadShape = {}): Watch {
  const url = `http://127.0.0.1:${port}`
  const loads = [
    constantLoad({ url: `${url}/api/version`, connections, closeConnections }),
    constantLoad({ url: `${url}/api/upload`, method: 'POST', body: 'a'.repeat(1000), connections, closeConnections }),
    constantLoad({ url: `${url}/api/slow?ms=50`, connections, closeConnections }),
  ]
  return {
    stop: async () => count(await Promise.all(loads.map((load) => load.stop()))),
  }
}

function count(tallies: readonly Tally[]): Counted {
  const kinds: Record<string, number> = {}
  let total = 0
  for (const tally of tallies) {
    total += tally.total
    for (const [kind, number] of [...Object.entries(tally.statuses), ...Object.entries(tally.errors)]) {
      if (kind !== '200') kinds[kind] = (kinds[kind] ?? 0) + number
    }
  }
  return { total, kinds, failed: Object.values(kinds).reduce((sum, number) => sum + number, 0) }
}
