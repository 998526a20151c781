/** WebSockets of applications that were converted in code: what tsgi loads is a dispatcher, which knows of none. */

import { createServer } from 'node:http'
import { asyncApp, dispatch, fromAsync, fromNode } from 'tsgi'
import { WebSocketServer } from 'ws'

const server = createServer()
const webSockets = new WebSocketServer({ noServer: true })
server.on('upgrade', (request, socket, head) => {
  webSockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.send('open'))
})

const conversation = asyncApp({
  websocket: async (_scope, receive, send) => {
    await receive()
    await send({ type: 'websocket.accept' })
    await send({ type: 'websocket.send', text: 'open' })
    while ((await receive()).type === 'websocket.receive');
  },
})

export const application = dispatch({ '/async': fromAsync(conversation), '/node': fromNode(server) })
