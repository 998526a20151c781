/** WebSockets that do what they should not. The path says what. */

import { asyncApp, type Send } from 'tsgi'

type Sent = Parameters<Send<'websocket'>>[0]

const ACCEPTANCES: Readonly<Record<string, object>> = {
  '/injected': { headers: [['x-user', 'bob\r\nSet-Cookie: evil=1']] },
  '/injected-beyond-latin1': { headers: [['x-user', 'bob\u010aSet-Cookie: evil=1']] },
  '/bad-name': { headers: [['bad name', 'value']] },
  '/content-length': { headers: [['content-length', '5']] },
  '/second-key': { headers: [['Sec-WebSocket-Accept', 'mine']] },
  '/no-list': { headers: { 'x-user': 'bob' } },
  '/injected-subprotocol': { subprotocol: 'chat\r\nSet-Cookie: evil=1' },
  '/not-offered': { subprotocol: 'other' },
  '/latin1': {
    subprotocol: 'chat',
    headers: [
      ['x-name', 'caf\xe9'],
      ['Connection', 'keep-alive'],
    ],
  },
}

const WRONG_FRAMES: readonly object[] = [
  {},
  { text: undefined },
  { text: 5 },
  { text: null, bytes: Buffer.from('x') },
  { bytes: undefined },
  { bytes: 'x' },
  { bytes: new Uint16Array(1) },
]

/** Past the types, as an application in JavaScript does it. */
const message = (type: Sent['type'], fields: object = {}): Sent => Object.assign({ type }, fields) as Sent

let breakLifespan = (): void => undefined

export const application = asyncApp({
  lifespan: async (_scope, receive, send) => {
    await receive()
    const broken = new Promise<void>((resolve) => {
      breakLifespan = resolve
    })
    await send({ type: 'lifespan.startup.complete' })
    await broken
    throw new Error('a job of the lifespan died')
  },

  http: async (scope, receive, send) => {
    if (scope.path === '/streams') {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: Buffer.from('begun'), moreBody: true })
      while ((await receive()).type !== 'http.disconnect');
      void send({ type: 'http.response.body', body: Buffer.from('unheard'), moreBody: true })
      console.log('a response goes on unheard')
      return
    }
    if (scope.path === '/break-lifespan') breakLifespan()
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: Buffer.from('served') })
  },

  websocket: async (scope, receive, send) => {
    await receive()
    switch (scope.path) {
      case '/refuses-after-all':
        await send(message('websocket.accept', ACCEPTANCES['/injected'])).catch(() => undefined)
        return
      case '/half-refused':
        await send({ type: 'websocket.http.response.start', status: 401 })
        return
      case '/wrongly-refused':
        await send(message('websocket.http.response.start', { status: 401, headers: [['a b', '']] })).catch(
          () => undefined,
        )
        return
      case '/refused-at-the-second-try':
        await send(message('websocket.http.response.start', { status: 401, headers: [['a b', '']] })).catch(() =>
          send({ type: 'websocket.http.response.start', status: 401 }),
        )
        await send({ type: 'websocket.http.response.body', body: Buffer.from('who are you') })
        return
      case '/not-awaited':
        void send({ type: 'websocket.accept' })
        return
      case '/not-awaited-and-wrong':
        send({ type: 'websocket.accept' }).catch(() => undefined)
        throw new Error('broken while it was accepted')
      case '/wrong-frames':
        await send({ type: 'websocket.accept' })
        for (const each of WRONG_FRAMES) {
          const error: unknown = await send(message('websocket.send', each)).catch((thrown: unknown) => thrown)
          await send({ type: 'websocket.send', text: error instanceof TypeError ? error.message : 'it was sent' })
        }
        return
    }
    await send(message('websocket.accept', ACCEPTANCES[scope.path]))
    if (scope.path === '/latin1') await send({ type: 'websocket.send', text: 'caf\xe9' })
    if (scope.path === '/closes') await send({ type: 'websocket.close', code: 4001, reason: 'bye' })
    for (;;) {
      const received = await receive()
      if (received.type !== 'websocket.disconnect') continue
      void send({ type: 'websocket.send', text: 'unheard' })
      console.log(`disconnected: ${scope.path} ${received.code} ${received.reason}`)
      return
    }
  },
})
