/** WebSockets by ws on an ordinary server. A plain request collects garbage before it is answered. */

import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { settle } from './settled.mjs'

export const application = createServer((_request, response) => {
  void settle().then(() => response.end('settled'))
})

new WebSocketServer({ server: application }).on('connection', (socket) => {
  socket.on('message', (message) => socket.send(message))
})

export const listen = (socket) => application.listen(socket)
