/**
 * A response that breaks off after its head never looks complete behind nginx, wherever the transport has a way to say so: a
 * reset (TCP), a record that is none (FastCGI), or a Content-Length that was not reached. uwsgi and SCGI over a Unix socket
 * without Content-Length have none.
 */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { httpRequest } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { socketPath, startTsgi } from '../support/tsgi.ts'
import { PROTOCOLS, SITES } from './gateway-socket.ts'

const app = join(import.meta.dirname, 'apps', 'load.mjs')
const SIZES = [1, 1_000, 70_000, 1_000_000]
const REPEATS = 10

describeWith(['nginx'], 'nginx never passes a broken response as a complete one', () => {
  for (const protocol of PROTOCOLS) {
    for (const transport of ['unix', 'tcp'] as const) {
      for (const buffering of ['on', 'off'] as const) {
        test(`${protocol}, ${transport}, buffering ${buffering}`, async () => {
          const address = transport === 'unix' ? socketPath() : `127.0.0.1:${await freePort()}`
          await startTsgi({
            app,
            args: [`--${protocol}`, address, '--workers', '1'],
          })
          const nginx = await startNginx({
            sites: [
              {
                file: SITES[protocol],
                substitutions: {
                  'unix:/run/tsgi/app.sock': transport === 'unix' ? `unix:${address}` : address,
                  '/srv/app/public': tempDir(),
                  client_max_body_size: `${protocol}_buffering ${buffering};\n    client_max_body_size`,
                },
              },
            ],
          })
          const hasSign = transport === 'tcp' || protocol === 'fastcgi'
          const queries = SIZES.flatMap((bytes) => [`bytes=${bytes}`, `bytes=${bytes}&later=1`]).flatMap((query) =>
            hasSign ? [query, `${query}&length=1`] : [`${query}&length=1`],
          )
          const passed: string[] = []
          for (const query of queries) {
            for (let count = 0; count < REPEATS; count += 1) {
              if (await looksComplete(nginx.port, `/break?${query}`)) passed.push(query)
            }
          }
          expect(passed).toEqual([])
        })
      }
    }
  }
})

/** A head that never came is a loss that everybody sees, and so is an error of nginx. */
async function looksComplete(port: number, path: string): Promise<boolean> {
  try {
    const { complete, status } = await httpRequest({ port }, { path, timeoutMs: 20_000 })
    return complete && status === 200
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('the connection broke')) return false
    throw error
  }
}
