import Koa from 'koa'

export const application = new Koa()
application.use((context) => {
  context.body = 'Hello, World!'
})

export const listen = (socket) => application.listen(socket)
