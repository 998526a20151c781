import { createServer } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'

const page = `<!doctype html>
<title>chat</title>
<ul id="log"></ul>
<form><input autofocus autocomplete="off"></form>
<script>
  const socket = new WebSocket(location.href.replace(/^http/, 'ws') + 'ws')
  socket.onmessage = ({ data }) => log.append(Object.assign(document.createElement('li'), { textContent: data }))
  document.forms[0].onsubmit = (event) => {
    event.preventDefault()
    socket.send(document.forms[0][0].value)
    document.forms[0].reset()
  }
</script>
`

const server = createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end(page)
})

const sockets = new WebSocketServer({ server, path: '/ws' })

// Everybody on this worker hears everybody: with several workers, pass messages on through a broker.
sockets.on('connection', (socket, request) => {
  const name = `${request.socket.remoteAddress}`
  socket.on('message', (message) => {
    for (const client of sockets.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(`${name}: ${message}`)
    }
  })
})

server.listen(3000)
