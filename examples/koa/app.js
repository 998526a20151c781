import Koa from 'koa'

const app = new Koa()

app.use(async (context, next) => {
  const started = performance.now()
  await next()
  context.set('X-Response-Time', `${Math.round(performance.now() - started)}ms`)
})

app.use(async (context) => {
  if (context.method === 'POST') {
    context.status = 201
    context.body = context.req
    return
  }
  context.body = context.path === '/' ? 'Hello from Koa!' : { path: context.path, ip: context.ip }
})

export default app
