/** WebSockets that are open and silent: what each of them takes in the memory of the process that holds it. */

import { listening, tsgi } from '../launches.ts'
import type { SocketGroup } from '../websocket.ts'

const interfaceOf = (name: string) => (): readonly string[] => ['--interface', name]

export const websocket: SocketGroup = {
  title: 'WebSockets, open and silent: memory of the worker',
  contenders: [
    {
      id: 'ws-uwsgi',
      label: 'ws on tsgi, uwsgi',
      protocol: 'uwsgi',
      against: 'ws-node',
      prepare: tsgi({ protocol: 'uwsgi', app: 'websocket.mjs', args: interfaceOf('node') }),
    },
    {
      id: 'ws-http',
      label: 'ws on tsgi, HTTP',
      protocol: 'http',
      against: 'ws-node',
      prepare: tsgi({ protocol: 'http', app: 'websocket.mjs', args: interfaceOf('node') }),
    },
    {
      id: 'async-uwsgi',
      label: 'async application on tsgi, uwsgi',
      protocol: 'uwsgi',
      against: 'ws-node',
      prepare: tsgi({ protocol: 'uwsgi', app: 'websocket-async.mjs', args: interfaceOf('async') }),
    },
    { id: 'ws-node', label: 'ws on node:http', protocol: 'http', prepare: listening('websocket.mjs') },
  ],
  figures: [
    { subject: 'ws-uwsgi', against: 'ws-node', maxBytes: 12_288 },
    { subject: 'ws-http', against: 'ws-node', maxBytes: 12_288 },
    { subject: 'async-uwsgi', against: 'ws-node', maxBytes: 12_288 },
  ],
}
