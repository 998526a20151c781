/** Every behaviour through every pair of front server, protocol and transport, with the real servers. */

import { beforeAll, expect, test } from 'vitest'
import { describeWith } from '../support/peers.ts'
import { LOOKS } from './behaviours.ts'
import { BEHAVIOURS, type BehaviourName, MATRIX, pairTitle } from './matrix.ts'
import { FRONT_COMMANDS, type RunningPair, startPair } from './start-pair.ts'

for (const pair of MATRIX) {
  describeWith([FRONT_COMMANDS[pair.front]], pairTitle(pair), () => {
    let running: RunningPair
    beforeAll(async () => {
      running = await startPair(pair)
      // Apache waits ten seconds for a request that tsgi still answers: where the client's leaving does not arrive, one is.
      return () => Promise.all([running.front.stop(), running.tsgi.stop()])
    })

    for (const [name, look] of Object.entries(LOOKS)) {
      // The keys of LOOKS are the names.
      const behaviour = name as BehaviourName
      const limit = pair.limits[behaviour]
      if (limit?.instead === 'not tried') {
        test.skip(`${BEHAVIOURS[behaviour]} (${limit.why})`)
        continue
      }
      const expected = { ...look.expected, ...limit?.instead }
      test(limit === undefined ? BEHAVIOURS[behaviour] : `${BEHAVIOURS[behaviour]}: not so, ${limit.why}`, async () => {
        const { front, tsgi } = running
        const seen = await look.observe({ port: front.port, tsgi, patienceMs: limit === undefined ? 5_000 : 500 })
        expect(seen, running.tsgi.process.lines.slice(-5).join('\n')).toEqual(expected)
      })
    }
  })
}
