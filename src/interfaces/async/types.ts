/** The async interface: scope, receive, send (ASGI 3, in TypeScript). Types, and `asyncApp`. */

import type { ByteString, Environ, HeaderList } from '../../application.ts'
import { describe } from '../../errors.ts'
import { mark } from '../marks.ts'

interface BaseScope {
  readonly tsgi: { readonly version: '1.0'; readonly spec_version: '2.5' }
  /** The optional messages that this connection can carry. */
  readonly extensions: Readonly<Record<string, object>>
  /** What lifespan startup stored: a shallow copy per connection. */
  state: Record<string, unknown>
}

export interface ConnectionScope extends BaseScope {
  readonly httpVersion: '1.0' | '1.1' | '2' | '3'
  /** UTF-8 text, percent-decoded, rootPath included. */
  readonly path: string
  /** As the client sent it, without the query. */
  readonly rawPath: ByteString | null
  readonly queryString: ByteString
  readonly rootPath: string
  /** Lower-case names. Case, order and `_` against `-` are lost on the way through a gateway protocol. */
  readonly headers: HeaderList
  readonly client: readonly [host: string, port: number] | null
  readonly server: readonly [host: string, port: number | null] | null
  /** Everything the front server sent: REMOTE_USER, SSL_*, ... */
  readonly environ: Readonly<Environ>
  /** Aborts when the connection ends abnormally. */
  readonly signal: AbortSignal
}

export interface HttpScope extends ConnectionScope {
  readonly type: 'http'
  readonly method: string
  readonly scheme: 'http' | 'https'
}

export interface WebSocketScope extends ConnectionScope {
  readonly type: 'websocket'
  readonly scheme: 'ws' | 'wss'
  readonly subprotocols: readonly string[]
}

export interface LifespanScope extends BaseScope {
  readonly type: 'lifespan'
}

export type Scope = HttpScope | WebSocketScope | LifespanScope

export interface Messages {
  http: {
    receive:
      | { readonly type: 'http.request'; readonly body: Uint8Array; readonly moreBody: boolean }
      /** The client left, or its body ended early or passed the limit: where nothing is answered then, the gateway answers. */
      | { readonly type: 'http.disconnect' }
    send:
      | { readonly type: 'http.response.start'; readonly status: number; readonly headers?: HeaderList }
      | { readonly type: 'http.response.body'; readonly body?: Uint8Array; readonly moreBody?: boolean }
      /** Extension `http.response.file`. `end` is exclusive. */
      | { readonly type: 'http.response.file'; readonly path: string; readonly start?: number; readonly end?: number }
      /** Extension `http.response.early_hint`. */
      | { readonly type: 'http.response.early_hint'; readonly links: readonly ByteString[] }
  }
  websocket: {
    receive:
      | { readonly type: 'websocket.connect' }
      | { readonly type: 'websocket.receive'; readonly text: string }
      | { readonly type: 'websocket.receive'; readonly bytes: Uint8Array }
      | { readonly type: 'websocket.disconnect'; readonly code: number; readonly reason: string }
    send:
      | { readonly type: 'websocket.accept'; readonly subprotocol?: string; readonly headers?: HeaderList }
      | { readonly type: 'websocket.send'; readonly text: string }
      | { readonly type: 'websocket.send'; readonly bytes: Uint8Array }
      | { readonly type: 'websocket.close'; readonly code?: number; readonly reason?: string }
      /** Extension `websocket.http.response`: the refusal as the application words it. */
      | { readonly type: 'websocket.http.response.start'; readonly status: number; readonly headers?: HeaderList }
      | { readonly type: 'websocket.http.response.body'; readonly body?: Uint8Array; readonly moreBody?: boolean }
  }
  lifespan: {
    receive: { readonly type: 'lifespan.startup' } | { readonly type: 'lifespan.shutdown' }
    send:
      | { readonly type: 'lifespan.startup.complete' }
      | { readonly type: 'lifespan.startup.failed'; readonly message?: string }
      | { readonly type: 'lifespan.shutdown.complete' }
      | { readonly type: 'lifespan.shutdown.failed'; readonly message?: string }
  }
}

export type Kind = keyof Messages
export type Receive<K extends Kind = Kind> = () => Promise<Messages[K]['receive']>
/** Rejects when a message is wrong, comes at the wrong time, or the client has left (`ClientDisconnected`). */
export type Send<K extends Kind = Kind> = (message: Messages[K]['send']) => Promise<void>

/** Called once per connection, and once per worker with the lifespan scope. */
export type AsyncApp = (scope: Scope, receive: Receive, send: Send) => Promise<void>

export type Handlers = {
  readonly [K in Kind]?: (scope: Extract<Scope, { type: K }>, receive: Receive<K>, send: Send<K>) => Promise<void>
}

/** An application does not serve this kind of connection. */
export class UnsupportedScope extends Error {
  constructor(kind: string) {
    super(`this application has no handler for ${describe(kind)} connections`)
    this.name = 'UnsupportedScope'
  }
}

/**
 * One handler per kind of connection, each with its own types. A kind without a handler is refused with UnsupportedScope,
 * which is how tsgi knows that there is no lifespan, rather than that it failed.
 */
export function asyncApp(handlers: Handlers): AsyncApp {
  const app: AsyncApp = async (scope, receive, send) => {
    const handler = handlers[scope.type]
    if (handler === undefined) throw new UnsupportedScope(scope.type)
    // scope.type chose the handler, and tsgi gives each scope the receive and send of its kind.
    const run = handler as (scope: Scope, receive: Receive, send: Send) => Promise<void>
    await run(scope, receive, send)
  }
  return mark(app, 'async')
}
