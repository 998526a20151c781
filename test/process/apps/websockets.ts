/** WebSockets that echo, and plain requests that nobody answers. */

import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

export const application = createServer(() => undefined)

new WebSocketServer({ server: application }).on('connection', (socket) => {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
})
