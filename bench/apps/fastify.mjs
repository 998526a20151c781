import Fastify from 'fastify'

export const application = Fastify()
application.get('/', (_request, reply) => {
  reply.type('text/plain; charset=utf-8').send('Hello, World!')
})

export const listen = (socket) => application.listen({ path: socket })
