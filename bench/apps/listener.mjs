import { createServer } from 'node:http'

export const application = (_request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end('Hello, World!')
}

export const listen = (socket) => createServer(application).listen(socket)
