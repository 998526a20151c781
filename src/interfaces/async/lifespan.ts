/** lifespan of an async application: started before the worker is ready, ended after it has drained. */

import { asError, describe, isError } from '../../errors.ts'
import { TSGI } from './scope.ts'
import { type AsyncApp, type Messages, UnsupportedScope } from './types.ts'

type Received = Messages['lifespan']['receive']
type Sent = Messages['lifespan']['send']

type Stage = 'starting' | 'up' | 'stopping' | 'over'

export class Lifespan {
  /** What startup stored; every connection gets a shallow copy. */
  readonly state: Record<string, unknown> = {}
  readonly #app: AsyncApp
  #stage: Stage = 'starting'
  #failedLater: (error: Error) => void = () => undefined
  #settleStage: { resolve(): void; reject(error: Error): void } | undefined
  #tellShutdown: (() => void) | undefined
  #received = 0

  constructor(app: AsyncApp) {
    this.#app = app
  }

  /**
   * Rejects when startup failed. An application that does not know lifespan rejects with UnsupportedScope, which is no failure.
   * @param failedLater told where it ends with an error between startup and shutdown. Requests are served on, as other servers
   * do, and of the shutdown there is nobody left to tell.
   */
  startup(failedLater: (error: Error) => void): Promise<void> {
    this.#failedLater = failedLater
    return new Promise((resolve, reject) => {
      this.#settleStage = { resolve, reject }
      const shutdownAsked = new Promise<void>((tell) => {
        this.#tellShutdown = tell
      })
      const receive = async (): Promise<Received> => {
        if (this.#received++ === 0) return { type: 'lifespan.startup' }
        await shutdownAsked
        return { type: 'lifespan.shutdown' }
      }
      const scope = { type: 'lifespan', tsgi: TSGI, extensions: {}, state: this.state } as const
      // Other kinds of messages are refused by `send`, one by one.
      this.#app(scope, receive, (message) => this.#send(message as Sent)).then(
        () => this.#returned(),
        (error: unknown) => this.#failed(error),
      )
    })
  }

  /** Resolves when the application said that it is done, or returned. */
  shutdown(): Promise<void> {
    if (this.#stage !== 'up') return Promise.resolve()
    this.#stage = 'stopping'
    return new Promise((resolve, reject) => {
      this.#settleStage = { resolve, reject }
      this.#tellShutdown?.()
    })
  }

  async #send(message: Sent): Promise<void> {
    switch (message.type) {
      case 'lifespan.startup.complete':
        this.#expect('starting', message.type)
        this.#stage = 'up'
        this.#settleStage?.resolve()
        return
      case 'lifespan.startup.failed':
        this.#expect('starting', message.type)
        this.#stage = 'over'
        this.#settleStage?.reject(new Error(`lifespan startup failed: ${message.message ?? 'no reason was given'}`))
        return
      case 'lifespan.shutdown.complete':
        this.#expect('stopping', message.type)
        this.#stage = 'over'
        this.#settleStage?.resolve()
        return
      case 'lifespan.shutdown.failed':
        this.#expect('stopping', message.type)
        this.#stage = 'over'
        this.#settleStage?.reject(new Error(`lifespan shutdown failed: ${message.message ?? 'no reason was given'}`))
        return
      default:
        throw new TypeError(`lifespan cannot send ${describe(Reflect.get(Object(message), 'type'))}`)
    }
  }

  #expect(stage: Stage, type: string): void {
    if (this.#stage !== stage) throw new Error(`${type} was sent at the wrong time`)
  }

  #returned(): void {
    this.#stage = 'over'
    this.#settleStage?.resolve()
  }

  #failed(error: unknown): void {
    const isUnsupported = this.#stage === 'starting' && isError(error) && error instanceof UnsupportedScope
    const wasUp = this.#stage === 'up'
    this.#stage = 'over'
    if (wasUp) this.#failedLater(asError(error))
    else if (isUnsupported) this.#settleStage?.resolve()
    else this.#settleStage?.reject(asError(error))
  }
}
