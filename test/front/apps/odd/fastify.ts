import fastify from 'fastify'
import { RAW, WATCHED } from './handlers.ts'

const app = fastify({ bodyLimit: 1024 })
app.get('/throw', () => {
  throw new Error('thrown')
})
app.get('/reject', async () => {
  throw Object.assign(new Error('rejected'), { statusCode: 418 })
})
app.post('/json', async (request) => request.body)
app.addContentTypeParser('application/octet-stream', (_request, _body, done) => done(null))
for (const [name, handler] of Object.entries({ ...RAW, ...WATCHED })) {
  app.all(`/${name}`, (request, reply) => {
    reply.hijack()
    handler(request.raw, reply.raw)
  })
}
await app.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' })
