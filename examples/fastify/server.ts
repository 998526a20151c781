import fastify from 'fastify'

const app = fastify()

app.get('/', async () => 'Hello from Fastify!')

app.get<{ Params: { id: string } }>('/users/:id', async (request) => ({ id: request.params.id, ip: request.ip }))

app.post('/echo', async (request, reply) => {
  reply.code(201)
  return request.body
})

// Fastify listens on every address of localhost; for tsgi that is one application.
console.log('listening on', await app.listen({ port: 3000, host: 'localhost' }))
