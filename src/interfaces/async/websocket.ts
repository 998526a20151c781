/** One WebSocket of an async application: its messages, held and passed on, from connect to disconnect. */

import type { RawData, WebSocket } from 'ws'
import type { Body, StartResponse, Upgraded, Write } from '../../application.ts'
import { asError, causes, describe, isError } from '../../errors.ts'
import { isBytes } from '../../gateway/chunk.ts'
import { plainAnswer } from '../../gateway/plain-answer.ts'
import type { RequestSource } from '../../gateway/request-source.ts'
import { clientDisconnected, followsFrom, isClientDisconnected, mayGoUnheard } from './client-left.ts'
import { ResponseStart } from './response-start.ts'
import { type AsyncApp, type Messages, UnsupportedScope, type WebSocketScope } from './types.ts'
import { type Acceptance, checkAcceptance, checkClosing } from './websocket-handshake.ts'
import type { WebSockets } from './websockets.ts'

type Received = Messages['websocket']['receive']
type Sent = Messages['websocket']['send']

/** What is held for an application that does not receive: above either the client is not read from. */
const MAX_HELD_MESSAGES = 64
const MAX_HELD_BYTES = 1024 * 1024
const NOTHING: readonly Uint8Array[] = []

export function runWebSocket(
  app: AsyncApp,
  scope: WebSocketScope,
  source: RequestSource,
  startResponse: StartResponse,
  webSockets: WebSockets,
): Promise<Body> {
  return new Promise((resolve, reject) => {
    const connection = new WebSocketConnection(source, startResponse, webSockets, scope.subprotocols, {
      resolve,
      reject,
    })
    const running = app(
      scope,
      () => connection.receive(),
      // Other kinds of messages are refused by `send`, one by one.
      (message) => mayGoUnheard(connection.send(message as Sent), () => connection.isOver),
    )
    running.then(
      () => connection.returned(),
      (error: unknown) => connection.failed(error),
    )
  })
}

type Stage = 'connecting' | 'accepting' | 'open' | 'refusing' | 'over'

/** What the gateway is told, once: a body, empty where the connection became a WebSocket, or why there is none. */
interface Answer {
  resolve(body: Body): void
  reject(error: unknown): void
}

/** A message as it is held. */
interface Held {
  readonly message: Received
  readonly bytes: number
}

class WebSocketConnection {
  readonly #source: RequestSource
  readonly #startResponse: StartResponse
  readonly #start: ResponseStart
  readonly #webSockets: WebSockets
  readonly #offered: readonly string[]
  readonly #answer: Answer
  #stage: Stage = 'connecting'
  #socket: WebSocket | undefined
  #write: Write | undefined
  readonly #held: Held[] = [{ message: { type: 'websocket.connect' }, bytes: 0 }]
  #heldBytes = 0
  readonly #waiting: ((message: Received) => void)[] = []
  #last: Received | undefined
  /** How it is to be closed once it is open: an application need not wait for its own accept. */
  #closing: { readonly code: number; readonly reason: string } | undefined
  #isAppDone = false

  constructor(
    source: RequestSource,
    startResponse: StartResponse,
    webSockets: WebSockets,
    offered: readonly string[],
    answer: Answer,
  ) {
    this.#source = source
    this.#startResponse = startResponse
    this.#start = new ResponseStart(startResponse)
    this.#webSockets = webSockets
    this.#offered = offered
    this.#answer = answer
    // Not by the signal: its controller and its listener are a kilobyte for each connection. Where the socket of a WebSocket
    // closed in order, `ws` knows the code.
    source.after(({ aborted, error }) => {
      if (aborted || error !== undefined) this.#closed(1006, '')
    })
  }

  get isOver(): boolean {
    return this.#stage === 'over'
  }

  receive(): Promise<Received> {
    const held = this.#held.shift()
    if (held !== undefined) {
      this.#heldBytes -= held.bytes
      if (!this.#holdsEnough) this.#socket?.resume()
      return Promise.resolve(held.message)
    }
    if (this.#last !== undefined) return Promise.resolve(this.#last)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  async send(message: Sent): Promise<void> {
    if (this.#stage === 'over') throw clientDisconnected()
    switch (message.type) {
      case 'websocket.accept':
        this.#expect('connecting', message.type)
        return this.#accept(checkAcceptance(message.subprotocol, message.headers ?? [], this.#offered))
      case 'websocket.send':
        this.#expect('open', message.type)
        return this.#sendFrame(contentOf(message))
      case 'websocket.close':
        return this.#close(...checkClosing(message.code ?? 1000, message.reason ?? ''))
      case 'websocket.http.response.start':
        this.#expect('connecting', message.type)
        this.#write = this.#start.begin(message)
        this.#stage = 'refusing'
        return
      case 'websocket.http.response.body':
        this.#expect('refusing', message.type)
        if (message.moreBody === true) return this.#write?.(message.body ?? new Uint8Array(0))
        this.#over(1006, '')
        this.#answer.resolve(message.body === undefined || message.body.length === 0 ? NOTHING : [message.body])
        return
      default:
        throw new TypeError(`a websocket connection cannot send ${describe(Reflect.get(Object(message), 'type'))}`)
    }
  }

  returned(): void {
    this.#isAppDone = true
    if (this.#stage === 'refusing') {
      this.#fail(new Error('the application returned before the last websocket.http.response.body'))
    } else this.#close(1000, '')
  }

  failed(error: unknown): void {
    this.#isAppDone = true
    const isLate = this.#stage === 'over' && followsFrom(this.#source.signal(), error)
    if (this.#stage === 'connecting' && isError(error) && error instanceof UnsupportedScope) this.#refuse()
    else if (this.#stage === 'connecting' || this.#stage === 'refusing') this.#fail(error)
    else if (!isLate && !causes(error).some(isClientDisconnected)) {
      const { stack, message } = asError(error)
      this.#source.environ['tsgi.errors'].write(`websocket: ${stack ?? message}\n`)
      this.#close(1011, '')
    }
  }

  async #accept(acceptance: Acceptance): Promise<void> {
    const upgrade = this.#source.environ['tsgi.upgrade']
    if (upgrade === undefined) throw new Error('this connection cannot be upgraded')
    this.#stage = 'accepting'
    let upgraded: Upgraded
    try {
      upgraded = await upgrade(this.#startResponse)
    } catch (error) {
      this.#notUpgraded(error)
      throw error
    }
    let socket: WebSocket
    try {
      socket = await this.#webSockets.open(this.#source, upgraded, acceptance)
    } catch (error) {
      upgraded.socket.destroy()
      this.#closed(1006, '')
      throw error
    }
    this.#socket = socket
    this.#stage = 'open'
    socket.on('message', (data, isBinary) => this.#received(data, isBinary))
    socket.on('close', (code, reason) => this.#closed(code, reason.toString('utf8')))
    socket.on('error', (error) => this.#source.environ['tsgi.errors'].write(`websocket: ${error.message}\n`))
    this.#answer.resolve(NOTHING)
    if (this.#closing !== undefined) socket.close(this.#closing.code, this.#closing.reason)
  }

  /** The application may still answer otherwise; where it has gone, nobody but the gateway is left to. */
  #notUpgraded(error: unknown): void {
    if (this.#stage !== 'accepting') return
    this.#stage = 'connecting'
    if (this.#isAppDone) this.#fail(error)
  }

  /** The answer is the gateway's: a 500, or where the head is out a response that breaks off. */
  #fail(error: unknown): void {
    this.#over(1006, '')
    this.#answer.reject(error)
  }

  /** Resolves when the frame is with the kernel: the backpressure of a slow client. */
  #sendFrame(content: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket?.send(content, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(clientDisconnected())
      })
    })
  }

  #close(code: number, reason: string): void {
    if (this.#stage === 'connecting') this.#refuse()
    else if (this.#stage === 'accepting') this.#closing ??= { code, reason }
    else if (this.#stage === 'open') this.#socket?.close(code, reason)
  }

  /** ASGI 3, "Close - send event": before the handshake it is a 403. */
  #refuse(): void {
    this.#over(1006, '')
    try {
      this.#answer.resolve(plainAnswer(this.#start.startResponse, '403 Forbidden'))
    } catch (error) {
      // The request is over.
      this.#answer.reject(error)
    }
  }

  #received(data: RawData, isBinary: boolean): void {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data)
    if (isBinary) this.#deliver({ type: 'websocket.receive', bytes }, bytes.length)
    else this.#deliver({ type: 'websocket.receive', text: bytes.toString('utf8') }, bytes.length)
  }

  #deliver(message: Received, bytes: number): void {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) {
      waiting(message)
      return
    }
    this.#held.push({ message, bytes })
    this.#heldBytes += bytes
    if (this.#holdsEnough) this.#socket?.pause()
  }

  get #holdsEnough(): boolean {
    return this.#held.length >= MAX_HELD_MESSAGES || this.#heldBytes >= MAX_HELD_BYTES
  }

  #closed(code: number, reason: string): void {
    if (this.#stage === 'over') return
    this.#over(code, reason)
    this.#answer.resolve(NOTHING)
  }

  #over(code: number, reason: string): void {
    this.#stage = 'over'
    const last: Received = { type: 'websocket.disconnect', code, reason }
    this.#last = last
    for (const waiting of this.#waiting.splice(0)) waiting(last)
  }

  #expect(stage: Stage, type: string): void {
    if (this.#stage !== stage) throw new Error(`${type} was sent at the wrong time`)
  }
}

/** A frame that is not what was meant is worse than none: nothing is guessed. */
function contentOf(message: object): string | Uint8Array {
  if ('text' in message) {
    if (typeof message.text === 'string') return message.text
    throw new TypeError(`the text of a websocket.send must be a string, not ${describe(message.text)}`)
  }
  const bytes: unknown = Reflect.get(message, 'bytes')
  if (isBytes(bytes)) return bytes
  throw new TypeError(`the bytes of a websocket.send must be a Uint8Array, not ${describe(bytes)}`)
}
