import express from 'express4'

const app = express()

app.use(express.json())

app.get('/', (_request, response) => {
  response.send('Hello from Express 4!')
})

app.get('/users/:id', (request, response) => {
  response.json({ id: request.params.id, ip: request.ip, secure: request.secure })
})

app.post('/echo', (request, response) => {
  response.status(201).json(request.body)
})

app.get('/fails', (_request, _response, next) => {
  next(Object.assign(new Error('not today'), { status: 503, expose: true }))
})

export default app
