/** Requests of one connection by id: nearly always one, and then no Map is made for it, which V8 would grow and shrink each time. */

const NONE: readonly never[] = []

export class RequestsById<Request extends { readonly requestId: number }> {
  /** The one that there is, or none; what was here is never written to. */
  #few: readonly Request[] = NONE
  /** All of them, as soon as there were two at once (multiplexed FastCGI). */
  #many: Map<number, Request> | undefined

  get size(): number {
    return this.#many === undefined ? this.#few.length : this.#many.size
  }

  /** There were two at once, and may be again. */
  get multiplexed(): boolean {
    return this.#many !== undefined
  }

  get(requestId: number): Request | undefined {
    if (this.#many !== undefined) return this.#many.get(requestId)
    const only = this.#few[0]
    return only?.requestId === requestId ? only : undefined
  }

  add(request: Request): void {
    if (this.#many === undefined && this.#few.length === 0) {
      this.#few = [request]
      return
    }
    this.#many ??= new Map(this.#few.map((one) => [one.requestId, one]))
    this.#few = NONE
    this.#many.set(request.requestId, request)
  }

  delete(requestId: number): void {
    if (this.#many !== undefined) this.#many.delete(requestId)
    else if (this.#few[0]?.requestId === requestId) this.#few = NONE
  }

  /** Those that are there now: some may go while they are gone through. */
  list(): readonly Request[] {
    return this.#many === undefined ? this.#few : [...this.#many.values()]
  }
}
