/** The same file under node:http and under tsgi, both behind nginx: clients see the same, whatever the handler does. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { httpRequest, openHttp } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { startServer } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { onlyWorker, socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { type Observation, ODD_CASES, type OddApp, type OddCase } from './odd.ts'

const APPS: readonly OddApp[] = ['node', 'express', 'koa', 'fastify']
const PROTOCOLS = ['uwsgi', 'fastcgi'] as const

interface Served {
  readonly tsgi: Tsgi
  readonly ports: Readonly<Record<'proxy' | 'uwsgi' | 'fastcgi', number>>
}

/** One site for each way; nothing is buffered, so that each side meets the other as it is. */
function siteFile(name: string, pass: string): string {
  const file = join(tempDir('tsgi-odd-'), `${name}.conf`)
  writeFileSync(file, `include tsgi/http_host.conf;\nserver {\n  listen 80;\n  location / {\n${pass}\n  }\n}\n`)
  return file
}

const unbuffered = (module: string, readTimeout: string): string =>
  `${module}_buffering off; ${module}_request_buffering off; ${module}_read_timeout ${readTimeout};`

async function serve(app: OddApp): Promise<Served> {
  const file = join(import.meta.dirname, 'apps', 'odd', `${app}.ts`)
  const [uwsgi, fastcgi, port] = [socketPath(), socketPath(), await freePort()]
  const tsx = import.meta.resolve('tsx')
  const native = startServer({
    name: `${app} on node:http`,
    command: process.execPath,
    args: ['--import', tsx, file],
    env: { PORT: String(port), NODE_ENV: 'production' },
  })
  const tsgi = await startTsgi({
    app: file,
    env: { PORT: '3000' },
    args: [
      ...['--uwsgi', uwsgi, '--fastcgi', fastcgi, '--workers', '1'],
      ...['--request-timeout', '1', '--graceful-timeout', '1'],
    ],
  })
  const proxy = `proxy_pass http://127.0.0.1:${port}; proxy_http_version 1.1; proxy_set_header Connection "";`
  const front = await startNginx({
    sites: [
      siteFile('proxy', `${proxy} ${unbuffered('proxy', '1s')}`),
      siteFile('uwsgi', `include tsgi/uwsgi_params; uwsgi_pass unix:${uwsgi}; ${unbuffered('uwsgi', '60s')}`),
      siteFile('fastcgi', `include tsgi/fastcgi_params; fastcgi_pass unix:${fastcgi}; ${unbuffered('fastcgi', '60s')}`),
    ].map((each) => ({ file: each })),
  })
  const [first = 0, second = 0, third = 0] = front.ports
  const ports = { proxy: first, uwsgi: second, fastcgi: third }
  await until(`${app} on node:http`, async () => {
    if (!native.isRunning()) throw new Error(native.lines.join('\n'))
    // Koa answers 404 unless it is told otherwise.
    return (await httpRequest({ port: first }, { path: '/told' })).status !== 502 || undefined
  })
  return { tsgi, ports }
}

async function observe(port: number, { path, method, headers, body, breaks }: OddCase): Promise<Observation> {
  const request = { path, ...(method && { method }), ...(headers && { headers }), ...(body && { body }) }
  if (breaks) {
    return httpRequest({ port }, request).then(
      ({ complete }) => ({ complete }),
      () => ({ complete: false }),
    )
  }
  const response = await httpRequest({ port }, request)
  return {
    status: response.status,
    type: response.header('content-type'),
    length: response.header('content-length'),
    text: response.text.slice(0, 300),
    complete: response.complete,
  }
}

describe.each(APPS)('%s', (app) => {
  describeWith(['nginx'], 'through nginx', () => {
    let served: Served
    beforeAll(async () => {
      served = await serve(app)
    })

    const cases = ODD_CASES.filter(({ apps }) => apps === undefined || apps.includes(app))
    test.each(cases.map((each) => [each.name, each] as const))('%s', async (_name, odd) => {
      const native = await observe(served.ports.proxy, odd)
      for (const protocol of PROTOCOLS) {
        const { over = protocol, instead } = odd.differs ?? {}
        const expected = over === protocol ? { ...native, ...instead } : native
        expect(await observe(served.ports[protocol], odd), protocol).toEqual(expected)
      }
    })

    test.each([
      ['in a download', 'GET /download HTTP/1.1\r\nHost: a\r\n\r\n', 1],
      ['in an upload', 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nxxxxx', 0],
    ])('the client leaves %s', async (_name, head, bytes) => {
      const toldOf = async (port: number) => {
        const connection = await openHttp({ port })
        connection.send(head)
        const ask = async () => (await httpRequest({ port }, { path: '/told' })).text
        if (bytes > 0) await connection.read(bytes)
        connection.destroy()
        return until('the application is told', async () => {
          const text = await ask()
          return text.includes('response close') ? text : undefined
        })
      }
      const native = await toldOf(served.ports.proxy)
      for (const protocol of PROTOCOLS) expect(await toldOf(served.ports[protocol]), protocol).toBe(native)
    })

    test.runIf(app === 'node')('a response that never ends is a 504', async () => {
      const all = [served.ports.proxy, ...PROTOCOLS.map((protocol) => served.ports[protocol])]
      const responses = await Promise.all(all.map((port) => httpRequest({ port }, { path: '/never' })))
      expect(responses.map(({ status }) => status)).toEqual([504, 504, 504])
    })

    test('the worker has survived all of it', async () => {
      const ready = served.tsgi.records().filter(({ msg }) => /\(pid \d+\) is ready/.test(String(msg)))
      expect(ready.length).toBe(1)
      expect(String(ready[0]?.['msg'])).toContain(`pid ${await onlyWorker(served.tsgi)}`)
    })
  })
})
