import { asyncApp } from 'tsgi'

const bytes = (text: string) => new TextEncoder().encode(text)

/** Every interface of an async application: lifespan, http, websocket. */
export default asyncApp({
  lifespan: async (scope, receive, send) => {
    await receive()
    scope.state['greeting'] = 'started'
    await send({ type: 'lifespan.startup.complete' })
    await receive()
    console.log('lifespan shutdown')
    await send({ type: 'lifespan.shutdown.complete' })
  },

  http: async (scope, receive, send) => {
    let length = 0
    for (let more = true; more; ) {
      const message = await receive()
      if (message.type === 'http.disconnect') return
      length += message.body.length
      more = message.moreBody
    }
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] })
    await send({ type: 'http.response.body', body: bytes(`${scope.state['greeting']} `), moreBody: true })
    await send({ type: 'http.response.body', body: bytes(`${scope.method} ${scope.path} ${length}`) })
  },

  websocket: async (scope, receive, send) => {
    await receive()
    if (scope.path === '/refused') {
      await send({ type: 'websocket.http.response.start', status: 401, headers: [['www-authenticate', 'Basic']] })
      await send({ type: 'websocket.http.response.body', body: bytes('who are you') })
      return
    }
    if (scope.path === '/forbidden') return
    const [subprotocol] = scope.subprotocols
    await send({
      type: 'websocket.accept',
      headers: [['x-greeting', String(scope.state['greeting'])]],
      ...(subprotocol === undefined ? {} : { subprotocol }),
    })
    if (scope.path === '/throws') throw new Error('broken in the middle')
    for (;;) {
      const message = await receive()
      if (message.type === 'websocket.disconnect') {
        console.log('websocket left with', message.code)
        return
      }
      if (message.type === 'websocket.receive' && 'text' in message) {
        if (message.text === 'close') await send({ type: 'websocket.close', code: 4002, reason: 'as asked' })
        else await send({ type: 'websocket.send', text: `${message.text}!` })
      } else if (message.type === 'websocket.receive') await send({ type: 'websocket.send', bytes: message.bytes })
    }
  },
})
