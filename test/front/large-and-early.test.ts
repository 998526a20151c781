/** Bodies of a gigabyte that nobody buffers, and answers that do not wait for the body, over each protocol. */

import { beforeAll, describe, expect, test } from 'vitest'
import { openHttp } from '../support/http-client.ts'
import type { Front } from '../support/nginx.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { onlyWorker, startTsgi } from '../support/tsgi.ts'
import { ALLOWED_GROWTH_BYTES, MB, mostRssBytes, upload } from './large-bodies.ts'
import type { Protocol, Transport } from './matrix.ts'
import { addressOf, backendFor, behavioursApp, makeDocumentRoot, nginxSubstitutions } from './start-pair.ts'

const SITES: Readonly<Record<Protocol, string>> = { uwsgi: 'app.conf', fastcgi: 'fastcgi.conf', scgi: 'scgi.conf' }
const POOLS: Readonly<Record<Protocol, string>> = { uwsgi: 'tsgi_app', fastcgi: 'tsgi_fastcgi', scgi: 'tsgi_scgi' }

async function start(protocol: Protocol, transport: Transport, buffering: 'on' | 'off'): Promise<[Front, number]> {
  const backend = await backendFor(transport)
  const args = [`--${protocol}`, addressOf(backend), '--workers', '1', '--max-body', '0']
  const tsgi = await startTsgi({ app: behavioursApp, args })
  const pass = `${protocol}_pass ${POOLS[protocol]};`
  const substitutions = {
    ...nginxSubstitutions(backend, makeDocumentRoot()),
    [pass]: `${pass} ${protocol}_request_buffering ${buffering};`,
    'client_max_body_size 100m;': 'client_max_body_size 0;',
  }
  const nginx = await startNginx({ sites: [{ file: SITES[protocol], substitutions }] })
  return [nginx, await onlyWorker(tsgi)]
}

describeWith(['nginx'], 'an upload that nginx does not buffer', () => {
  // nginx before 1.29.6 announces a wrong CONTENT_LENGTH over SCGI then; what is wrong about it is nothing of ours.
  for (const protocol of ['uwsgi', 'fastcgi'] as const) {
    test(`1 GB over ${protocol} costs the worker less than 32 MB`, async () => {
      const [nginx, worker] = await start(protocol, 'unix', 'off')
      // V8 lets read buffers gather before it collects them: what a tenth of the body costs at most is the measure.
      const before = await mostRssBytes(worker, () => upload(nginx, 100 * MB))
      let text = ''
      const most = await mostRssBytes(worker, async () => {
        text = (await upload(nginx, 1_000 * MB)).text
      })
      expect(JSON.parse(text).bytes).toBe(1_000 * MB)
      expect(most - before).toBeLessThan(ALLOWED_GROWTH_BYTES)
    })
  }
})

describeWith(['nginx'], 'an answer sent before the body was read', () => {
  const body = Buffer.alloc(400_000, 'x')

  for (const protocol of ['uwsgi', 'fastcgi', 'scgi'] as const) {
    for (const transport of ['unix', 'tcp'] as const) {
      describe(`${protocol}, ${transport}`, () => {
        let nginx: Front
        beforeAll(async () => {
          ;[nginx] = await start(protocol, transport, 'on')
        })

        test('arrives 1000 times out of 1000', async () => {
          let arrived = 0
          const client = async (): Promise<void> => {
            const connection = await openHttp(nginx)
            for (let request = 0; request < 125; request += 1) {
              const { text } = await connection.request({ method: 'POST', path: '/ignore-body', body })
              if (text === 'not read') arrived += 1
            }
            connection.destroy()
          }
          await Promise.all(Array.from({ length: 8 }, client))
          expect(arrived).toBe(1_000)
        })
      })
    }
  }
})
