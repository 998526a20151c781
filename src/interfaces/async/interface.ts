/** `(scope, receive, send)` as a Handler, with the two ends of its life. */

import type { Body, Environ, StartResponse } from '../../application.ts'
import { plainAnswer } from '../../gateway/plain-answer.ts'
import type { Handler, RequestSource } from '../../gateway/request-source.ts'
import { isUpgrade, refuseUpgrade } from '../node/upgrade.ts'
import { runHttp } from './http.ts'
import { Lifespan } from './lifespan.ts'
import { connectionScope } from './scope.ts'
import type { AsyncApp, HttpScope, WebSocketScope } from './types.ts'
import { runWebSocket } from './websocket.ts'
import { handshakeFault, subprotocolsOf } from './websocket-handshake.ts'
import type { WebSockets } from './websockets.ts'

interface AsyncInterface {
  readonly handler: Handler
  startup(failedLater: (error: Error) => void): Promise<void>
  shutdown(): Promise<void>
}

export function asyncInterface(app: AsyncApp): AsyncInterface {
  const lifespan = new Lifespan(app)
  const webSockets = loadWebSockets()
  // The startup says so, or the first WebSocket: an application that was only converted may have neither.
  webSockets.catch(() => undefined)
  return {
    handler: (source, startResponse) => run(app, source, startResponse, lifespan.state, webSockets),
    startup: async (failedLater) => {
      await webSockets
      await lifespan.startup(failedLater)
    },
    shutdown: () => lifespan.shutdown(),
  }
}

/** What they are made with is a library of 13 files, which applications of the other interfaces never need. */
async function loadWebSockets(): Promise<WebSockets> {
  const { WebSockets } = await import('./websockets.ts')
  return new WebSockets()
}

function run(
  app: AsyncApp,
  source: RequestSource,
  startResponse: StartResponse,
  state: Readonly<Record<string, unknown>>,
  webSockets: Promise<WebSockets>,
): Body | PromiseLike<Body> {
  const { environ, variables } = source
  const isWebSocket = isUpgrade(variables) && variables.upgrade?.toLowerCase() === 'websocket'
  if (isWebSocket && environ['tsgi.upgrade'] === undefined) return refuseUpgrade(environ, startResponse)
  const connection = connectionScope(source, state, extensionsOf(environ, isWebSocket))
  if (connection === undefined) return plainAnswer(startResponse, '400 Bad Request', [], 'the path is no UTF-8\n')
  const scheme = environ['tsgi.url_scheme']
  if (!isWebSocket) {
    const scope: HttpScope = Object.assign(connection, {
      type: 'http',
      method: environ.REQUEST_METHOD,
      scheme,
    } as const)
    return runHttp(app, scope, source, startResponse)
  }
  const fault = handshakeFault(environ)
  if (fault !== null) return plainAnswer(startResponse, '400 Bad Request', [], fault)
  const scope: WebSocketScope = Object.assign(connection, {
    type: 'websocket',
    scheme: scheme === 'https' ? 'wss' : 'ws',
    subprotocols: subprotocolsOf(environ),
  } as const)
  return webSockets.then((opened) => runWebSocket(app, scope, source, startResponse, opened))
}

function extensionsOf(environ: Environ, isWebSocket: boolean): Record<string, object> {
  if (isWebSocket) return { 'websocket.http.response': {} }
  return {
    ...(environ['tsgi.file_wrapper'] === undefined ? {} : { 'http.response.file': {} }),
    ...(environ['tsgi.early_hints'] === undefined ? {} : { 'http.response.early_hint': {} }),
  }
}
