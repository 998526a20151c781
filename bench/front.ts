/** The nginx of a run: private, one worker process, no access log, one server for each contender. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeNginxPrefix } from '../scripts/nginx-prefix.mjs'
import { findCommand } from '../scripts/peers.mjs'
import { type Running, run } from './run.ts'

export type Front =
  /** `uwsgi_pass`: nginx opens a connection for each request. */
  | 'uwsgi'
  /** `fastcgi_pass` with `fastcgi_keep_conn on` and `keepalive`. */
  | 'fastcgi, kept'
  /** `proxy_pass` and nothing else: HTTP/1.0, a connection for each request. */
  | 'http, new'
  /** `proxy_pass` with HTTP/1.1, no Connection header and `keepalive`. */
  | 'http, kept'

/** As in nginx/fastcgi.conf. */
const KEEPALIVE = 'keepalive 32; keepalive_requests 10000; keepalive_timeout 60s;'

const LOCATIONS: Readonly<Record<Front, string>> = {
  uwsgi: 'include tsgi/uwsgi_params; uwsgi_pass NAME;',
  'fastcgi, kept': 'include tsgi/fastcgi_params; fastcgi_keep_conn on; fastcgi_pass NAME;',
  'http, new': 'proxy_pass http://NAME;',
  'http, kept': 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://NAME;',
}

export interface Behind {
  readonly front: Front
  readonly socket: string
  readonly port: number
}

export interface Site {
  /** Of the upstream, and unlike all others. */
  readonly name: string
  readonly front: Front
  /** `unix:/path` or `host:port`. */
  readonly server: string
  /** What follows `listen`. */
  readonly listen: string
}

export const site = ({ name, front, server, listen }: Site): string => `
upstream ${name} { server ${server}; ${front.endsWith('kept') ? KEEPALIVE : ''} }
server {
  listen ${listen};
  access_log off;
  location / { ${LOCATIONS[front].replace('NAME', name)} }
}
`

/** @param directory not there yet. @throws where there is no nginx */
export function startFront(directory: string, behind: readonly Behind[]): Running {
  const command = findCommand('nginx')
  if (command === undefined) throw new Error('there is no nginx on this machine; Debian: apt-get install nginx')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'contenders.conf')
  const sites = behind.map(({ front, socket, port }, index) =>
    site({ name: `contender_${index}`, front, server: `unix:${socket}`, listen: `127.0.0.1:${port} backlog=4096` }),
  )
  writeFileSync(file, ['include tsgi/http_host.conf;', ...sites].join('\n'))
  const args = writeNginxPrefix({
    prefix: directory,
    siteFiles: [file],
    substitutions: [],
    sharedDirectory: join(import.meta.dirname, '..', 'nginx'),
  })
  return run('nginx', { command, args })
}
