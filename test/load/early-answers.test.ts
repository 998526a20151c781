/**
 * An answer that is sent before a body of 8 MB was read, through real front servers, which are still sending then.
 * TSGI_TEST_LOAD=full: as often as a release should survive; less often by default.
 */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startApache } from '../support/apache.ts'
import { openHttp } from '../support/http-client.ts'
import { type Front, startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { socketPath, startTsgi } from '../support/tsgi.ts'
import { PROTOCOLS, type Protocol, SITES } from './gateway-socket.ts'

const app = join(import.meta.dirname, 'apps', 'load.mjs')
const full = process.env['TSGI_TEST_LOAD'] === 'full'
const NGINX_REQUESTS = full ? 1000 : 100
const APACHE_REQUESTS = full ? 100 : 25
const CLIENTS = 4
const timeout = 300_000
const body = Buffer.alloc(8_000_000, 'x')

const APACHE_SITES = { uwsgi: 'app-uwsgi.conf', fastcgi: 'app-fcgi.conf', scgi: 'app-scgi.conf' } as const

/** @returns how many of `requests` were answered with what the application said */
async function answered(front: Front, requests: number): Promise<number> {
  let begun = 0
  let right = 0
  const client = async (): Promise<void> => {
    while (begun < requests) {
      begun += 1
      const connection = await openHttp(front)
      const { status, text, complete } = await connection.request({ method: 'POST', path: '/early', body })
      if (status === 413 && text === 'enough' && complete) right += 1
      connection.destroy()
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return right
}

async function serve(protocol: Protocol, address: string): Promise<Record<string, string>> {
  await startTsgi({ app, args: [`--${protocol}`, address, '--workers', '1'] })
  const where = address.startsWith('/') ? `unix:${address}` : address
  return { 'unix:/run/tsgi/app.sock': where, '/srv/app/public': tempDir() }
}

describeWith(['nginx'], 'through nginx', () => {
  for (const protocol of PROTOCOLS) {
    for (const transport of ['unix', 'tcp'] as const) {
      test(`${NGINX_REQUESTS} of ${NGINX_REQUESTS} over ${protocol}, ${transport}`, { timeout }, async () => {
        const address = transport === 'unix' ? socketPath() : `127.0.0.1:${await freePort()}`
        const substitutions = await serve(protocol, address)
        const nginx = await startNginx({ sites: [{ file: SITES[protocol], substitutions }] })
        expect(await answered(nginx, NGINX_REQUESTS)).toBe(NGINX_REQUESTS)
      })
    }
  }
})

describeWith(['apache2'], 'through Apache', () => {
  for (const protocol of PROTOCOLS) {
    test(`${APACHE_REQUESTS} of ${APACHE_REQUESTS} over ${protocol}`, { timeout }, async () => {
      const substitutions = await serve(protocol, socketPath())
      const apache = await startApache({ site: APACHE_SITES[protocol], substitutions })
      expect(await answered(apache, APACHE_REQUESTS)).toBe(APACHE_REQUESTS)
    })
  }
})
