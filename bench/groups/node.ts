/** Node applications, unmodified: on tsgi, and on node:http. */

import type { Contender, Figure, Group } from '../contender.ts'
import { listening, tsgi } from '../launches.ts'

/** The same file of apps/ four times: over each protocol, and on node:http behind each kind of proxy_pass. */
function fourTimes(id: string, name: string): Contender[] {
  const app = `${id}.mjs`
  const args = (): readonly string[] => ['--interface', 'node']
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
      id: `${id}-kept`,
      label: `${name} on node:http, kept proxy_pass`,
      kind: 'peer',
      front: 'http, kept',
      prepare: listening(app),
    },
    {
      id: `${id}-uwsgi`,
      label: `${name} on tsgi, uwsgi`,
      kind: 'tsgi',
      front: 'uwsgi',
      against: `${id}-new`,
      prepare: tsgi({ protocol: 'uwsgi', app, args }),
    },
    {
      id: `${id}-new`,
      label: `${name} on node:http, stock proxy_pass`,
      kind: 'peer',
      front: 'http, new',
      prepare: listening(app),
    },
  ]
}

/** Over kept connections, which is the fastest of both sides. */
const twice = (id: string, name: string): Contender[] => fourTimes(id, name).slice(0, 2)

const figure = (id: string, measure: Figure['measure'], bound: Figure['bound'], ratio: number): Figure => ({
  subject: `${id}-fastcgi`,
  against: `${id}-kept`,
  measure,
  bound,
  ratio,
})

export const node: Group = {
  title: 'Node applications: hello world',
  contenders: () => [
    ...fourTimes('listener', 'listener'),
    ...fourTimes('express5', 'Express 5'),
    ...twice('express4', 'Express 4'),
    ...twice('koa', 'Koa'),
    ...twice('fastify', 'Fastify'),
  ],
  figures: [
    figure('listener', 'requestsPerSecond', 'at least', 1.15),
    figure('listener', 'cpuUs', 'at most', 0.9),
    { subject: 'listener-uwsgi', against: 'listener-new', measure: 'requestsPerSecond', bound: 'at least', ratio: 2 },
    { ...figure('express5', 'cpuUs', 'at most', 0.35), nodes: [20, 22] },
    { ...figure('express5', 'cpuUs', 'at most', 0.85), nodes: [24, 26] },
    { ...figure('express5', 'requestsPerSecond', 'at least', 2), nodes: [20] },
    { ...figure('express4', 'cpuUs', 'at most', 0.35), nodes: [20] },
    { ...figure('express4', 'requestsPerSecond', 'at least', 2), nodes: [20] },
    figure('koa', 'cpuUs', 'at most', 0.95),
    figure('fastify', 'cpuUs', 'at most', 0.95),
  ],
}
