/** Fetch handlers: on tsgi, and on the adapter that brings them to node:http. */

import type { Contender, Group } from '../contender.ts'
import { fetched, listening, tsgi } from '../launches.ts'

const NODE_SERVER = ['@hono/node-server', 'hono']

function thrice(id: string, name: string): Contender[] {
  const app = `${id}.mjs`
  const args = (): readonly string[] => ['--interface', 'fetch']
  return [
    {
      id: `${id}-fastcgi`,
      label: `${name} on tsgi, FastCGI`,
      kind: 'tsgi',
      front: 'fastcgi, kept',
      against: `${id}-kept`,
      prepare: tsgi({ protocol: 'fastcgi', app, args }),
    },
    {
      id: `${id}-uwsgi`,
      label: `${name} on tsgi, uwsgi`,
      kind: 'tsgi',
      front: 'uwsgi',
      against: `${id}-kept`,
      prepare: tsgi({ protocol: 'uwsgi', app, args }),
    },
    {
      id: `${id}-kept`,
      label: `${name} on @hono/node-server, kept proxy_pass`,
      kind: 'peer',
      front: 'http, kept',
      prepare: fetched(NODE_SERVER, listening(app)),
    },
  ]
}

export const fetchHandlers: Group = {
  title: 'Fetch handlers: hello world',
  contenders: () => [...thrice('hono', 'Hono'), ...thrice('fetch', 'fetch handler')],
  figures: [
    { subject: 'hono-fastcgi', against: 'hono-kept', measure: 'requestsPerSecond', bound: 'at least', ratio: 1.3 },
  ],
}
