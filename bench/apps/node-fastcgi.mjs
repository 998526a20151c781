import { createRequire } from 'node:module'
import { join } from 'node:path'
import { application } from './listener.mjs'

/** The listener on node-fastcgi, which the benchmark fetched. */
export const listen = (socket) => {
  const require = createRequire(join(process.env.BENCH_MODULES, 'package.json'))
  require('node-fastcgi').createServer(application).listen(socket)
}
