import { createServer } from 'node:http'

// An ordinary server: tsgi takes the place of its port.
const server = createServer(async (request, response) => {
  if (request.method === 'POST') {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    response.end(Buffer.concat(chunks))
    return
  }
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${request.method} ${request.url} from ${request.socket.remoteAddress}\n`)
})

server.listen(3000, () => console.log('listening on', server.address()))
