import express from 'express'
import { RAW, WATCHED } from './handlers.ts'

const app = express()
app.get('/throw', () => {
  throw new Error('thrown')
})
app.get('/reject', async () => {
  throw Object.assign(new Error('rejected'), { status: 418, expose: true })
})
app.get('/next', (_request, _response, next) => next(Object.assign(new Error('passed on'), { status: 409 })))
app.get('/throw-after-head', (_request, response) => {
  response.write('begun')
  throw new Error('thrown late')
})
app.post('/json', express.json({ limit: '1kb' }), (request, response) => void response.json(request.body))
for (const [name, handler] of Object.entries({ ...RAW, ...WATCHED }))
  app.all(`/${name}`, (request, response) => handler(request, response))
app.listen(process.env['PORT'])
