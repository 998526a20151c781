import { createServer } from 'node:http'

// Server-Sent Events: the head goes out at once, each event when it happens, and a client that leaves is noticed.
export default createServer((request, response) => {
  if (request.url !== '/events') {
    response.statusCode = 404
    response.end()
    return
  }
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-cache',
    // nginx keeps a response back until a buffer is full; for this one it must not.
    'X-Accel-Buffering': 'no',
  })
  response.flushHeaders()
  let id = 0
  const timer = setInterval(() => response.write(`id: ${++id}\ndata: tick ${id}\n\n`), 200)
  response.on('close', () => {
    clearInterval(timer)
    console.log('client left after', id)
  })
})
