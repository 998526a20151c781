import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Hono } from 'hono'

export const application = new Hono()
application.get('/', (context) => context.text('Hello, World!'))

/** On @hono/node-server, which the benchmark fetched. */
export const listen = (socket) => {
  const require = createRequire(join(process.env.BENCH_MODULES, 'package.json'))
  const { createAdaptorServer } = require('@hono/node-server')
  createAdaptorServer({ fetch: application.fetch }).listen(socket)
}
