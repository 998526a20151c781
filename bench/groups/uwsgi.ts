/** uwsgi: a connection for each request, as nginx and Apache do it. */

import { join } from 'node:path'
import type { Group } from '../contender.ts'
import { floor, gunicorn, listening, tsgi, uwsgiPython } from '../launches.ts'

export const uwsgi: Group = {
  title: 'uwsgi: hello world, a connection for each request',
  contenders: ({ compare }) => [
    {
      id: 'tsgi-uwsgi',
      label: 'tsgi, uwsgi',
      kind: 'tsgi',
      front: 'uwsgi',
      against: 'floor-uwsgi',
      prepare: tsgi({ protocol: 'uwsgi' }),
    },
    {
      id: 'tsgi-uwsgi-log',
      label: 'tsgi, uwsgi, JSON access log',
      kind: 'tsgi',
      front: 'uwsgi',
      against: 'tsgi-uwsgi',
      prepare: tsgi({
        protocol: 'uwsgi',
        args: ({ directory }) => ['--access-log', 'json', '--access-log-file', join(directory, 'access.log')],
      }),
    },
    {
      id: 'tsgi-uwsgi-documented',
      label: 'tsgi, uwsgi, documented accept path',
      kind: 'tsgi',
      front: 'uwsgi',
      against: 'tsgi-uwsgi',
      prepare: tsgi({ protocol: 'uwsgi', env: { TSGI_ACCEPT: 'documented' } }),
    },
    ...(compare === undefined
      ? []
      : [
          {
            id: 'tsgi-uwsgi-compare',
            label: 'tsgi, uwsgi, the other build',
            kind: 'tsgi',
            front: 'uwsgi',
            against: 'tsgi-uwsgi',
            prepare: tsgi({ protocol: 'uwsgi', commandLine: compare }),
          } as const,
        ]),
    {
      id: 'floor-uwsgi',
      label: 'floor: one read, one write in JavaScript',
      kind: 'floor',
      front: 'uwsgi',
      prepare: floor('floor-uwsgi.mjs'),
    },
    { id: 'uwsgi-python', label: 'uWSGI 2 + Python', kind: 'peer', front: 'uwsgi', prepare: uwsgiPython },
    {
      id: 'node-new',
      label: 'node:http, stock proxy_pass',
      kind: 'peer',
      front: 'http, new',
      prepare: listening('listener.mjs'),
    },
    {
      id: 'node-kept',
      label: 'node:http, kept proxy_pass',
      kind: 'peer',
      front: 'http, kept',
      prepare: listening('listener.mjs'),
    },
    {
      id: 'gunicorn',
      label: 'Gunicorn sync, over HTTP (proxy_pass)',
      kind: 'peer',
      front: 'http, new',
      prepare: gunicorn,
    },
  ],
  figures: [
    {
      subject: 'tsgi-uwsgi',
      against: 'uwsgi-python',
      measure: 'requestsPerSecond',
      bound: 'at least',
      ratio: 1,
    },
    { subject: 'tsgi-uwsgi', against: 'node-new', measure: 'requestsPerSecond', bound: 'at least', ratio: 2.2 },
    { subject: 'tsgi-uwsgi', against: 'node-kept', measure: 'requestsPerSecond', bound: 'at least', ratio: 0.85 },
    { subject: 'tsgi-uwsgi', against: 'floor-uwsgi', measure: 'cpuUs', bound: 'at most', ratio: 1.25 },
    { subject: 'tsgi-uwsgi-log', against: 'tsgi-uwsgi', measure: 'requestsPerSecond', bound: 'at least', ratio: 0.85 },
  ],
}
