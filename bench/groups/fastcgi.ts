/** FastCGI on connections that nginx keeps. */

import type { Group } from '../contender.ts'
import { fetched, floor, floorFastcgi, listening, tsgi } from '../launches.ts'

export const fastcgi: Group = {
  title: 'FastCGI: hello world on kept connections',
  contenders: ({ compare }) => [
    {
      id: 'tsgi-fastcgi',
      label: 'tsgi, FastCGI',
      kind: 'tsgi',
      front: 'fastcgi, kept',
      against: 'node-kept',
      prepare: tsgi({ protocol: 'fastcgi' }),
    },
    ...(compare === undefined
      ? []
      : [
          {
            id: 'tsgi-fastcgi-compare',
            label: 'tsgi, FastCGI, the other build',
            kind: 'tsgi',
            front: 'fastcgi, kept',
            against: 'tsgi-fastcgi',
            prepare: tsgi({ protocol: 'fastcgi', commandLine: compare }),
          } as const,
        ]),
    {
      id: 'floor-fastcgi',
      label: 'floor: a constant from an epoll loop in C',
      kind: 'floor',
      front: 'fastcgi, kept',
      against: 'node-kept',
      prepare: floorFastcgi,
    },
    {
      id: 'floor-fastcgi-js',
      label: 'floor: a constant in JavaScript',
      kind: 'floor',
      front: 'fastcgi, kept',
      against: 'floor-fastcgi',
      prepare: floor('floor-fastcgi.mjs'),
    },
    {
      id: 'node-kept',
      label: 'node:http, kept proxy_pass',
      kind: 'peer',
      front: 'http, kept',
      prepare: listening('listener.mjs'),
    },
    {
      id: 'node-fastcgi',
      label: 'node-fastcgi (npm)',
      kind: 'peer',
      front: 'fastcgi, kept',
      against: 'node-kept',
      prepare: fetched(['node-fastcgi@2'], listening('node-fastcgi.mjs')),
    },
  ],
  figures: [
    { subject: 'tsgi-fastcgi', against: 'node-kept', measure: 'requestsPerSecond', bound: 'at least', ratio: 1.3 },
    { subject: 'tsgi-fastcgi', against: 'node-kept', measure: 'cpuUs', bound: 'at most', ratio: 0.75 },
    { subject: 'tsgi-fastcgi', against: 'floor-fastcgi', measure: 'cpuUs', bound: 'at most', ratio: 1.7 },
    { subject: 'tsgi-fastcgi', against: 'node-fastcgi', measure: 'requestsPerSecond', bound: 'at least', ratio: 8 },
  ],
}
