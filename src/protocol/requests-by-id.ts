/** Requests of one connection by id: nearly always one, and then no Map is made for it, which V8 would grow and shrink each time. */

export class RequestsById<Request extends { readonly requestId: number }> {
  #only: Request | undefined
  /** All of them, as soon as there were two at once (multiplexed FastCGI). */
  #many: Map<number, Request> | undefined

  get size(): number {
    if (this.#many !== undefined) return this.#many.size
    return this.#only === undefined ? 0 : 1
  }

  get(requestId: number): Request | undefined {
    if (this.#many !== undefined) return this.#many.get(requestId)
    return this.#only?.requestId === requestId ? this.#only : undefined
  }

  add(request: Request): void {
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

  /** Those that are there now: some may go while they are gone through. */
  list(): readonly Request[] {
    if (this.#many !== undefined) return [...this.#many.values()]
    return this.#only === undefined ? NONE : [this.#only]
  }

  some(test: (request: Request) => boolean): boolean {
    return this.#only === undefined ? this.list().some(test) : test(this.#only)
  }
}

const NONE: readonly never[] = []
