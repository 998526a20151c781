/** WebSockets and early hints behind each middleware in the box that puts a startResponse of its own in the server's place. */

import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { type Application, asyncApp, dispatch, fromAsync, fromNode, limitTime, onHead, requestId, validate } from 'tsgi'
import { WebSocketServer } from 'ws'

const server = createServer((_request, response) => {
  response.writeEarlyHints({ link: '</style.css>; rel=preload' })
  response.setHeader('Content-Type', 'text/plain')
  response.end('whole')
})
new WebSocketServer({ server }).on('connection', (socket) => socket.send('open'))

const conversation = asyncApp({
  http: async (_scope, _receive, send) => {
    await send({ type: 'http.response.early_hint', links: ['</style.css>; rel=preload'] })
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] })
    await send({ type: 'http.response.body', body: Buffer.from('whole') })
  },
  websocket: async (_scope, receive, send) => {
    await receive()
    await send({ type: 'websocket.accept' })
    await send({ type: 'websocket.send', text: 'open' })
    while ((await receive()).type === 'websocket.receive');
  },
})

const TIME_LIMIT_MS = 100

/** Stays with the connection that it took over for longer than a response may take. */
const lasting: Application = async (environ, startResponse) => {
  const upgraded = await environ['tsgi.upgrade']?.(startResponse)
  upgraded?.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n')
  await wait(2 * TIME_LIMIT_MS)
  upgraded?.socket.end(`aborted ${environ['tsgi.signal'].aborted}\n`)
  return []
}

/** Not in the box: it does not say that it may be passed by. */
const foreign =
  (application: Application): Application =>
  (environ, startResponse) =>
    application(environ, (...args) => startResponse(...args))

const mounts: Record<string, Application> = { '/lasting': limitTime(lasting, TIME_LIMIT_MS) }
for (const [name, application] of [
  ['node', fromNode(server)],
  ['async', fromAsync(conversation)],
] as const) {
  mounts[`/id/${name}`] = requestId(application)
  mounts[`/head/${name}`] = onHead(application, (head) => head)
  mounts[`/time/${name}`] = limitTime(application, 10_000)
  mounts[`/validate/${name}`] = validate(application)
  mounts[`/nested/${name}`] = requestId(limitTime(validate(requestId(application)), 10_000))
  mounts[`/foreign/${name}`] = foreign(application)
}

export const application = dispatch(mounts)
