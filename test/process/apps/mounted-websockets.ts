/** WebSockets of applications that were converted in code: what tsgi loads is a dispatcher, which knows of none. */

import { createServer } from 'node:http'
import { asyncApp, dispatch, fromAsync, fromNode } from 'tsgi'
import { WebSocketServer } from 'ws'

const server = createServer()
const webSockets = new WebSocketServer({ noServer: true })
/** As one that asks its database first: longer than a signal takes to get here. */
const late = async (mount: string, path: string | undefined): Promise<void> => {
  if (path?.endsWith('/late') !== true) return
  console.error(`${mount} is asked`)
  await new Promise((resolve) => setTimeout(resolve, 1000))
}
server.on('upgrade', async (request, socket, head) => {
  await late('node', request.url)
  webSockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.send('open'))
})

const conversation = asyncApp({
  websocket: async (scope, receive, send) => {
    await receive()
    await late('async', scope.path)
    await send({ type: 'websocket.accept' })
    await send({ type: 'websocket.send', text: 'open' })
    while ((await receive()).type === 'websocket.receive');
  },
})

export const application = dispatch({ '/async': fromAsync(conversation), '/node': fromNode(server) })
