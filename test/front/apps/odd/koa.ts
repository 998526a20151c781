import Koa from 'koa'
import { RAW, WATCHED } from './handlers.ts'

const app = new Koa()
app.silent = true
app.use(async (context) => {
  const name = context.path.slice(1)
  if (name === 'throw') throw new Error('thrown')
  if (name === 'reject') await Promise.reject(Object.assign(new Error('rejected'), { status: 418, expose: true }))
  const handler = { ...RAW, ...WATCHED }[name]
  if (handler === undefined) return
  context.respond = false
  handler(context.req, context.res)
})
app.listen(process.env['PORT'])
