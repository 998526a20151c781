/** Fetch handlers: on tsgi, and on the adapter that brings them to node:http. */

import type { Contender, Group } from '../contender.ts'
import { fetched, listening } from '../launches.ts'
import { sameApplication } from './same-application.ts'

const NODE_SERVER = ['@hono/node-server', 'hono']

function thrice(id: string, name: string): Contender[] {
  const prepare = fetched(NODE_SERVER, listening(`${id}.mjs`))
  const { fastcgi, uwsgi, kept } = sameApplication({
    id,
    name,
    interface: 'fetch',
    otherServer: '@hono/node-server',
    prepare,
  })
  return [fastcgi, { ...uwsgi, against: kept.id }, kept]
}

export const fetchHandlers: Group = {
  title: 'Fetch handlers: hello world',
  contenders: () => [...thrice('hono', 'Hono'), ...thrice('fetch', 'fetch handler')],
  figures: [
    { subject: 'hono-fastcgi', against: 'hono-kept', measure: 'requestsPerSecond', bound: 'at least', ratio: 1.3 },
  ],
}
