/** The open requests of a connection, by id: nearly always one, and then no Map is made for it. */

import type { OpenRequest } from './open-request.ts'

export class OpenRequests {
  #only: OpenRequest | undefined
  /** All of them, as soon as there were two at once (multiplexed FastCGI). */
  #many: Map<number, OpenRequest> | undefined

  get size(): number {
    if (this.#many !== undefined) return this.#many.size
    return this.#only === undefined ? 0 : 1
  }

  get(requestId: number): OpenRequest | undefined {
    if (this.#many !== undefined) return this.#many.get(requestId)
    return this.#only?.requestId === requestId ? this.#only : undefined
  }

  add(request: OpenRequest): void {
    if (this.#many === undefined && this.#only === undefined) {
      this.#only = request
      return
    }
    this.#many ??= new Map(this.#only && [[this.#only.requestId, this.#only]])
    this.#only = undefined
    this.#many.set(request.requestId, request)
  }

  delete(requestId: number): void {
    if (this.#many !== undefined) this.#many.delete(requestId)
    else if (this.#only?.requestId === requestId) this.#only = undefined
  }

  /** Those that are open now: some may end while they are gone through. */
  list(): readonly OpenRequest[] {
    if (this.#many !== undefined) return [...this.#many.values()]
    return this.#only === undefined ? NONE : [this.#only]
  }
}

const NONE: readonly OpenRequest[] = []
