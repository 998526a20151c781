/** Starts one pair of the matrix: tsgi with the application of the behaviours, and the front server before it. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { startApache } from '../support/apache.ts'
import type { Backend } from '../support/front-configurations.ts'
import type { Front } from '../support/nginx.ts'
import { startNginx } from '../support/nginx.ts'
import { startCaddy, startHaproxy, startLighttpd, startUwsgiRouter } from '../support/other-fronts.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import type { FrontName, Pair, Transport } from './matrix.ts'

export const behavioursApp = join(import.meta.dirname, 'apps', 'behaviours.ts')

export interface RunningPair {
  readonly tsgi: Tsgi
  readonly front: Front
  readonly backend: Backend
  /** Has `hello.txt`, and the same again below `static/`. */
  readonly documentRoot: string
}

/** What has to be installed. */
export const FRONT_COMMANDS: Readonly<Record<FrontName, string>> = {
  nginx: 'nginx',
  apache: 'apache2',
  lighttpd: 'lighttpd',
  caddy: 'caddy',
  haproxy: 'haproxy',
  uwsgi: 'uwsgi',
}

export const backendFor = async (transport: Transport): Promise<Backend> =>
  transport === 'unix' ? { path: socketPath() } : { port: await freePort() }

export const addressOf = (backend: Backend): string => ('path' in backend ? backend.path : `127.0.0.1:${backend.port}`)

export function makeDocumentRoot(): string {
  const root = tempDir('tsgi-public-')
  mkdirSync(join(root, 'static'))
  for (const folder of [root, join(root, 'static')]) writeFileSync(join(folder, 'hello.txt'), 'a file\n')
  return root
}

export async function startPair(pair: Pair, args: readonly string[] = []): Promise<RunningPair> {
  const backend = await backendFor(pair.transport)
  const documentRoot = makeDocumentRoot()
  const tsgi = await startTsgi({
    app: behavioursApp,
    args: [`--${pair.protocol}`, addressOf(backend), '--workers', '1', '--graceful-timeout', '1', ...args],
  })
  return { tsgi, front: await startFront(pair, backend, documentRoot), backend, documentRoot }
}

function startFront(pair: Pair, backend: Backend, documentRoot: string): Promise<Front> {
  const sample = basename(pair.sample ?? '')
  switch (pair.front) {
    case 'nginx':
      return startNginx({ sites: [{ file: sample, substitutions: nginxSubstitutions(backend, documentRoot) }] })
    case 'apache':
      return startApache({ site: sample, substitutions: apacheSubstitutions(pair, backend, documentRoot) })
    case 'lighttpd':
      return startLighttpd(pair.protocol, backend)
    case 'caddy':
      return startCaddy(backend)
    case 'haproxy':
      return startHaproxy(backend)
    case 'uwsgi':
      return startUwsgiRouter(backend)
  }
}

export const nginxSubstitutions = (backend: Backend, documentRoot: string): Record<string, string> => ({
  'unix:/run/tsgi/app.sock': 'path' in backend ? `unix:${backend.path}` : addressOf(backend),
  '/srv/app/public': documentRoot,
})

const APACHE_SCHEMES = { uwsgi: 'uwsgi', fastcgi: 'fcgi', scgi: 'scgi' } as const

function apacheSubstitutions(pair: Pair, backend: Backend, documentRoot: string): Record<string, string> {
  const root = { '/srv/app/public': documentRoot }
  if ('path' in backend) return { 'unix:/run/tsgi/app.sock': `unix:${backend.path}`, ...root }
  const scheme = APACHE_SCHEMES[pair.protocol]
  const name = { uwsgi: 'tsgi-app', fastcgi: 'tsgi-app-fcgi', scgi: 'tsgi-app-scgi' }[pair.protocol]
  return { [`unix:/run/tsgi/app.sock|${scheme}://${name}/`]: `${scheme}://${addressOf(backend)}/`, ...root }
}
