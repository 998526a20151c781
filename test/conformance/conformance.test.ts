/** The conformance list of the interface, replayed over a real tsgi, row by row (rows.ts). */

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { bodyCases } from './cases/body.ts'
import { environCases } from './cases/environ.ts'
import { failureCases } from './cases/failures.ts'
import { headCases } from './cases/head.ts'
import { inputCases } from './cases/input.ts'
import { lengthCases } from './cases/length.ts'
import { lifeCases } from './cases/life.ts'
import { type Gateway, startGateways } from './gateway.ts'
import { ROWS, type Row } from './rows.ts'

const CASES = [environCases, headCases, bodyCases, lengthCases, failureCases, inputCases, lifeCases].flat()
const ARGS = [
  ...['--mount', '/api/rest', '--mount', '/api/rest/deep'],
  ...['--max-body', '32m', '--close-timeout', '500ms', '--env', 'DEPLOYED=yes'],
]

let gateways: ReadonlyMap<Row, Gateway>
let pid: number | undefined

beforeAll(async () => {
  const started = await startGateways(ROWS, join(import.meta.dirname, 'fixtures', 'app.ts'), ARGS)
  gateways = started.gateways
  pid = started.tsgi.workerPids()[0]
})

for (const row of ROWS) {
  describe(row.name, () => {
    const gatewayOfRow = (): Gateway => {
      const gateway = gateways.get(row)
      if (gateway === undefined) throw new Error(`no gateway for ${row.name}`)
      return gateway
    }

    for (const { name, run } of CASES) test(name, () => run(gatewayOfRow()))

    test('all of it was served by one worker, which is alive', async () => {
      expect(pid).toBeDefined()
      expect(await gatewayOfRow().workerPid()).toBe(pid)
    })
  })
}
