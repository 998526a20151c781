import { createRequire } from 'node:module'
import { join } from 'node:path'

export const application = {
  fetch: () => new Response('Hello, World!', { headers: { 'content-type': 'text/plain; charset=utf-8' } }),
}

/** On @hono/node-server, which the benchmark fetched. */
export const listen = (socket) => {
  const require = createRequire(join(process.env.BENCH_MODULES, 'package.json'))
  const { createAdaptorServer } = require('@hono/node-server')
  createAdaptorServer({ fetch: application.fetch }).listen(socket)
}
