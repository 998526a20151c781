/**
 * The joined content of the PARAMS records of one request. One record is nearly always all of it, and is then decoded where
 * it was received, without a copy; more are copied together.
 */

const NO_BYTES = Buffer.alloc(0)

export class ParamsBlock {
  #bytes: Buffer = NO_BYTES
  #length = 0
  #borrowed = false

  get length(): number {
    return this.#length
  }

  /** `bytes` belong to somebody else until `detach`. */
  get borrowed(): boolean {
    return this.#borrowed
  }

  /**
   * Keeps a reference to `piece`, which must be detached before its memory is reused, where it may be all there is.
   * @param expected bytes of the same record still to come
   */
  append(piece: Buffer, expected: number): void {
    if (this.#length === 0 && expected === 0) {
      this.#bytes = piece
      this.#borrowed = true
    } else {
      this.#reserve(piece.length + expected)
      piece.copy(this.#bytes, this.#length)
    }
    this.#length += piece.length
  }

  detach(): void {
    if (this.#borrowed) this.#reserve(0)
  }

  /** All bytes; the block is empty afterwards. */
  take(): Buffer {
    const bytes = this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length)
    this.#bytes = NO_BYTES
    this.#length = 0
    this.#borrowed = false
    return bytes
  }

  /** Makes `#bytes` memory of our own, with room for `more` bytes: doubled, so that tiny records stay linear. */
  #reserve(more: number): void {
    const needed = this.#length + more
    if (!this.#borrowed && needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(this.#borrowed ? needed : Math.max(needed, 2 * this.#length))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
    this.#borrowed = false
  }
}
