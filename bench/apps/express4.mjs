import express from 'express4'

export const application = express()
application.get('/', (_request, response) => {
  response.type('text/plain').send('Hello, World!')
})

export const listen = (socket) => application.listen(socket)
