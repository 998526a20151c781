/** The cases of the conformance list that only a front server can show: what its client sees. */

import { once } from 'node:events'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type HttpResponse, httpRequest, openHttp } from '../support/http-client.ts'
import { type Front, type NginxSite, startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type Gateway, messages, startGateways } from './gateway.ts'
import { type Row, row } from './rows.ts'

const NGINX_ROWS: readonly Row[] = [
  row('uwsgi', 'unix'),
  row('uwsgi', 'tcp'),
  row('scgi', 'unix'),
  row('scgi', 'tcp'),
  row('fastcgi', 'unix'),
  row('fastcgi', 'tcp'),
]
const SITES = { uwsgi: 'app.conf', scgi: 'scgi.conf', fastcgi: 'fastcgi.conf' } as const
const UPSTREAMS = { uwsgi: 'tsgi_app', scgi: 'tsgi_scgi', fastcgi: 'tsgi_fastcgi' } as const
let gates = 0

describeWith(['nginx'], 'through nginx', () => {
  let gateways: ReadonlyMap<Row, Gateway>
  let nginx: Front

  beforeAll(async () => {
    const started = await startGateways(NGINX_ROWS, join(import.meta.dirname, 'fixtures', 'app.ts'))
    gateways = started.gateways
    const root = tempDir('tsgi-public-')
    const sites = [...gateways.values()].map(({ row: { protocol, transport }, address }): NginxSite => {
      const upstream = UPSTREAMS[protocol]
      const substitutions = {
        'unix:/run/tsgi/app.sock': typeof address === 'number' ? `127.0.0.1:${address}` : `unix:${address}`,
        [upstream]: `${upstream}_${transport}`,
        '/srv/app/public': root,
      }
      return { file: SITES[protocol], substitutions }
    })
    nginx = await startNginx({ sites })
  })

  for (const [index, each] of NGINX_ROWS.entries()) {
    describe(each.name, () => {
      const front = (): { port: number } => ({ port: nginx.ports[index] ?? 0 })
      const gateway = (): Gateway => {
        const found = gateways.get(each)
        if (found === undefined) throw new Error(`no gateway for ${each.name}`)
        return found
      }

      test('T21 T22 the sample files give the whole path, decoded, and the target as it was sent', async () => {
        const { text } = await httpRequest(front(), { path: '/a//b%2Fc%20d/%C3%A9?q=%20' })
        expect(JSON.parse(text).variables).toMatchObject({
          SCRIPT_NAME: '',
          PATH_INFO: '/a/b/c d/\xc3\xa9',
          QUERY_STRING: 'q=%20',
          REQUEST_URI: '/a//b%2Fc%20d/%C3%A9?q=%20',
          REQUEST_METHOD: 'GET',
        })
      })

      test('T16 T10 a client cannot set HTTP_PROXY or REMOTE_USER', async () => {
        const headers = [
          ['Proxy', 'http://evil.test'],
          ['Remote-User', 'mallory'],
          ['Remote_User', 'mallory'],
        ] as const
        const { variables } = JSON.parse((await httpRequest(front(), { path: '/', headers })).text)
        expect(variables).not.toHaveProperty('HTTP_PROXY')
        expect(variables).not.toHaveProperty('REMOTE_USER')
        expect(variables).toMatchObject({ HTTP_REMOTE_USER: 'mallory' })
      })

      const ask = (path: string): Promise<HttpResponse | undefined> =>
        // Without a head there is no response: nginx may learn that it broke off before it has sent anything.
        httpRequest(front(), { path, timeoutMs: 10_000 }).catch((error: unknown) => {
          if (String(error).includes('broke (end)')) return undefined
          throw error
        })

      const expectBroken = (seen: HttpResponse | undefined): void => {
        if (seen === undefined || seen.status === 502) return
        expect(seen).toMatchObject({ status: 200, complete: false })
        expect('begun and going'.startsWith(seen.text), seen.text).toBe(true)
      }

      test('T72 T73 a response that breaks off does not look complete, where that can be said', async () => {
        for (const by of ['generator', 'async', 'write']) {
          expectBroken(await ask(`/throws-midway?by=${by}&length=100`))
          const plain = await ask(`/throws-midway?by=${by}`)
          // A Unix socket has no reset, and closing is the end of every response: only Content-Length tells there.
          if (each.brokenBodyShowsAs === 'nothing') expect(plain, by).toMatchObject({ status: 200, complete: true })
          else expectBroken(plain)
        }
      })

      test('T91 an answer to a body of 8 MB that is not read arrives, 20 times out of 20', {
        timeout: 120_000,
      }, async () => {
        const body = Buffer.alloc(8_000_000)
        for (let times = 20; times > 0; times -= 1) {
          const response = await httpRequest(front(), { method: 'POST', path: '/unread', body })
          expect(response).toMatchObject({ status: 413, text: '"not wanted"', complete: true })
        }
      })

      test('T92 when the client leaves, the application is told', async () => {
        const gate = `nginx-${++gates}`
        const from = gateway().records().length
        const client = await openHttp(front())
        client.send(`GET /waits-for-signal?gate=${gate} HTTP/1.1\r\nHost: x\r\n\r\n`)
        await gateway().ask(`/gate/reached?gate=${gate}`)
        const leftMs = Date.now()
        client.destroy()
        await once(client.socket, 'close')
        const { msg } = await gateway().logged(/^aborted at/, from)
        const [, at, reason] = /^aborted at (\d+): (.*)$/.exec(String(msg)) ?? []
        expect(reason).toBe('TSGI_CLIENT_DISCONNECTED ClientDisconnected')
        expect(Number(at) - leftMs).toBeLessThan(1000)
        expect(messages(gateway().records().slice(from), 'warn')).toEqual([])
      })
    })
  }

  test('T81 one worker served it all', async () => {
    const pids = await Promise.all([...gateways.values()].map((gateway) => gateway.workerPid()))
    expect(new Set(pids).size).toBe(1)
    const [gateway] = gateways.values()
    expect(messages(gateway?.records() ?? []).filter((message) => /died|exited|killed/.test(message))).toEqual([])
  })
})
