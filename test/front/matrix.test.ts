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
      return async () => {
        await running.front.stop()
        await running.tsgi.stop()
      }
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
        const seen = await look.observe({ port: running.front.port, tsgi: running.tsgi })
        expect(seen, running.tsgi.process.lines.slice(-5).join('\n')).toEqual(expected)
      })
    }
  })
}
