/**
 * The joined content of the PARAMS records of one request. One record is nearly always all of it, and is then decoded where
 * it was received, without a copy; more are copied together.
 */

const NO_BYTES = Buffer.alloc(0)

export class ParamsBlock {
  #bytes: Buffer = NO_BYTES
  #start = 0
  #length = 0
  #borrowed = false

  get length(): number {
    return this.#length
  }

  /** They stand in it from `start` on, `length` of them. */
  get bytes(): Buffer {
    return this.#bytes
  }

  get start(): number {
    return this.#start
  }

  /** `bytes` belong to somebody else until `detach`. */
  get borrowed(): boolean {
    return this.#borrowed
  }

  /**
   * The piece is `bytes[start, start + length)`. Keeps a reference to it, which must be detached before its memory is reused,
   * where it may be all there is.
   * @param expected bytes of the same record still to come
   */
  append(bytes: Buffer, start: number, length: number, expected: number): void {
    if (this.#length === 0 && expected === 0) {
      this.#bytes = bytes
      this.#start = start
      this.#borrowed = true
    } else {
      this.#reserve(length + expected)
      bytes.copy(this.#bytes, this.#length, start, start + length)
    }
    this.#length += length
  }

  detach(): void {
    if (this.#borrowed) this.#reserve(0)
  }

  clear(): void {
    this.#bytes = NO_BYTES
    this.#start = 0
    this.#length = 0
    this.#borrowed = false
  }

  /** Makes `#bytes` memory of our own, with room for `more` bytes: doubled, so that tiny records stay linear. */
  #reserve(more: number): void {
    const needed = this.#length + more
    if (!this.#borrowed && needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(this.#borrowed ? needed : Math.max(needed, 2 * this.#length))
    this.#bytes.copy(grown, 0, this.#start, this.#start + this.#length)
    this.#bytes = grown
    this.#start = 0
    this.#borrowed = false
  }
}
