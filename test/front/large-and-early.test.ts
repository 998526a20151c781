/** Bodies of a gigabyte that nobody buffers, and answers that do not wait for the body, over each protocol. */

import { beforeAll, describe, expect, test } from 'vitest'
import { httpRequest, openHttp } from '../support/http-client.ts'
import type { Front } from '../support/nginx.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { rssBytes } from '../support/proc.ts'
import { onlyWorker, startTsgi } from '../support/tsgi.ts'
import type { Protocol, Transport } from './matrix.ts'
import { addressOf, backendFor, behavioursApp, makeDocumentRoot, nginxSubstitutions } from './start-pair.ts'

const MB = 1_000_000
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

function* pieces(bytes: number): Generator<Uint8Array> {
  const piece = Buffer.alloc(MB, 'tsgi')
  for (let sent = 0; sent < bytes; sent += MB) yield piece
}

describeWith(['nginx'], 'an upload that nginx does not buffer', () => {
  // nginx before 1.29.6 announces a wrong CONTENT_LENGTH over SCGI then; what is wrong about it is nothing of ours.
  for (const protocol of ['uwsgi', 'fastcgi'] as const) {
    test(`1 GB over ${protocol} costs the worker less than 32 MB`, async () => {
      const [nginx, worker] = await start(protocol, 'unix', 'off')
      const upload = (bytes: number) =>
        httpRequest(nginx, {
          method: 'POST',
          path: '/sum',
          headers: [['Content-Length', String(bytes)]],
          body: pieces(bytes),
        })
      let most = 0
      const sampling = setInterval(() => {
        most = Math.max(most, rssBytes(worker))
      }, 10)
      // V8 lets read buffers gather before it collects them: what a tenth of the body costs at most is the measure.
      await upload(100 * MB)
      const before = most
      const { text } = await upload(1_000 * MB)
      clearInterval(sampling)
      expect(JSON.parse(text).bytes).toBe(1_000 * MB)
      expect(most - before).toBeLessThan(32 * 1024 * 1024)
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
