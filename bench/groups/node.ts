/** Node applications, unmodified: on tsgi, and on node:http. */

import type { Contender, Figure, Group } from '../contender.ts'
import { sameApplication } from './same-application.ts'

const onBoth = (id: string, name: string) => sameApplication({ id, name, interface: 'node', otherServer: 'node:http' })

const fourTimes = (id: string, name: string): Contender[] => {
  const { fastcgi, kept, uwsgi, new: fresh } = onBoth(id, name)
  return [fastcgi, kept, uwsgi, fresh]
}

/** Over kept connections, which is the fastest of both sides. */
const twice = (id: string, name: string): Contender[] => {
  const { fastcgi, kept } = onBoth(id, name)
  return [fastcgi, kept]
}

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
