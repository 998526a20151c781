/** The same as an async application. */

import { settle } from './settled.mjs'

export const application = async (scope, receive, send) => {
  if (scope.type === 'http') {
    await settle()
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: new TextEncoder().encode('settled') })
    return
  }
  await receive()
  if (scope.type === 'lifespan') {
    await send({ type: 'lifespan.startup.complete' })
    await receive()
    await send({ type: 'lifespan.shutdown.complete' })
    return
  }
  await send({ type: 'websocket.accept' })
  for (;;) {
    const message = await receive()
    if (message.type === 'websocket.disconnect') return
    await send('text' in message ? { type: 'websocket.send', text: message.text } : message)
  }
}
