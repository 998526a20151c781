/** Ten thousand clients that connect and say nothing. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startGateways } from '../conformance/gateway.ts'
import { ROWS } from '../conformance/rows.ts'
import { openDescriptors, rssBytes } from '../support/proc.ts'
import { until } from '../support/until.ts'

const CLIENTS = 10_000
/** A full accept queue refuses on a Unix socket (EAGAIN): no more than this wait in it. */
const AT_ONCE = 500
const MIB = 1024 * 1024

test('ten thousand silent clients are freed by --read-timeout, with their memory and descriptors', {
  timeout: 120_000,
}, async () => {
  const rows = ROWS.slice(0, 1)
  const { tsgi, gateways } = await startGateways(
    rows,
    join(import.meta.dirname, '..', 'conformance', 'fixtures', 'app.ts'),
    ['--read-timeout', '10s'],
  )
  const [gateway] = gateways.values()
  const [worker] = tsgi.workerPids()
  if (gateway === undefined || worker === undefined) throw new Error('not started')
  const sockets = (): number => openDescriptors(worker).filter((target) => target.startsWith('socket:')).length
  const before = sockets()
  const resident: number[] = []

  // Twice: what the first wave leaves behind as free memory must do for the second.
  for (const wave of [1, 2]) {
    const clients: Socket[] = []
    const ended: Promise<unknown>[] = []
    while (clients.length < CLIENTS) {
      const batch = Array.from({ length: AT_ONCE }, () => connect(String(gateway.address)).resume())
      clients.push(...batch)
      ended.push(...batch.map((client) => once(client, 'close')))
      await Promise.all(batch.map((client) => once(client, 'connect')))
      await until('they are accepted', () => sockets() >= before + clients.length)
    }
    const openBytes = rssBytes(worker)
    expect((await gateway.ask('/hello')).text, `served beside them, wave ${wave}`).toBe('hello')
    await Promise.all(ended)
    await until('their descriptors are closed', () => sockets() <= before)
    expect(await gateway.workerPid()).toBe(worker)
    resident.push(openBytes)
  }
  const [first = 0, second = 0] = resident
  expect(first / CLIENTS, 'resident bytes of the worker for each client').toBeLessThan(25_000)
  // V8 lets its heap grow before it collects, the newer the more: what were kept of every client would be 90 MB.
  expect(second - first, 'more in the second wave').toBeLessThan(64 * MIB)
})
