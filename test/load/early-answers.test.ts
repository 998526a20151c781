/**
 * An answer that is sent before a body of 8 MB was read, through every front server on every protocol, which are still sending then.
 * TSGI_TEST_LOAD=full: as often as a release should survive; less often by default.
 */

import { expect, test } from 'vitest'
import { MATRIX, type Pair, pairTitle } from '../front/matrix.ts'
import { FRONT_COMMANDS, startPair } from '../front/start-pair.ts'
import { openHttp } from '../support/http-client.ts'
import type { Front } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'

const full = process.env['TSGI_TEST_LOAD'] === 'full'
const CLIENTS = 4
const timeout = 300_000
const body = Buffer.alloc(8_000_000, 'x')

const requestsThrough = ({ front }: Pair): number => (front === 'nginx' ? (full ? 1000 : 50) : full ? 200 : 20)

/** @returns how often each outcome was seen */
async function outcomes(front: Front, requests: number): Promise<Record<string, number>> {
  let begun = 0
  const seen: Record<string, number> = {}
  const client = async (): Promise<void> => {
    while (begun < requests) {
      begun += 1
      const outcome = await answerOf(front)
      seen[outcome] = (seen[outcome] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return seen
}

async function answerOf(front: Front): Promise<string> {
  const connection = await openHttp(front)
  try {
    // HAProxy answers at once and takes the body for as long as its `timeout client`: that is not waited for.
    connection.send(
      `POST /ignore-body HTTP/1.1\r\nHost: 127.0.0.1:${front.port}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
    )
    connection.send(body)
    const { status, text, complete } = await connection.readResponse({ method: 'POST' })
    return `${status} ${text}${complete ? '' : ', cut short'}`
  } catch (error) {
    return String(error)
  } finally {
    connection.destroy()
  }
}

for (const pair of MATRIX) {
  describeWith([FRONT_COMMANDS[pair.front]], pairTitle(pair), () => {
    const requests = requestsThrough(pair)
    test(`${requests} of ${requests} answers arrive`, { timeout }, async () => {
      const { front, tsgi } = await startPair(pair)
      expect(await outcomes(front, requests)).toEqual({ '200 not read': requests })
      await Promise.all([front.stop(), tsgi.stop()])
    })
  })
}
