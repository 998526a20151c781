/** Applications of other interfaces as an Application, in code; `to-node.ts`, `to-fetch.ts` and `to-async.ts` go the other way. */

import http from 'node:http'
import type { Application } from '../application.ts'
import { handlerApplication } from '../gateway/environ-source.ts'
import { asyncInterface } from './async/interface.ts'
import type { AsyncApp } from './async/types.ts'
import { type FetchHandler, type FetchObject, handlerOfFetch } from './fetch/fetch.ts'
import type { NodeListener } from './marks.ts'
import { handlerOfServer } from './node/listener.ts'

/** A request listener, an Express application, or a server with its listeners. */
export function fromNode(listener: NodeListener | http.Server): Application {
  return handlerApplication(handlerOfServer(typeof listener === 'function' ? http.createServer(listener) : listener))
}

/** A handler, or the `{ fetch }` that Hono, h3, Elysia and others export. */
export function fromFetch(handler: FetchHandler | FetchObject): Application {
  return handlerApplication(handlerOfFetch(handler))
}

/** http and websocket. Lifespan is not run: nothing here knows when a worker starts and ends. */
export function fromAsync(app: AsyncApp): Application {
  return handlerApplication(asyncInterface(app).handler)
}
