import express from 'express'

const app = express()

app.use(express.json())

app.get('/', (_request, response) => {
  response.send('Hello from Express 5!')
})

app.get('/users/:id', (request, response) => {
  response.json({ id: request.params.id, ip: request.ip, secure: request.secure })
})

app.post('/echo', (request, response) => {
  response.status(201).json(request.body)
})

app.get('/fails', async () => {
  await Promise.reject(Object.assign(new Error('not today'), { status: 503, expose: true }))
})

export default app
