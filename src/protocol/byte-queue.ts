/**
 * Bytes received and not yet understood. A read that lies in one chunk is a view of it; only one that spans chunks is
 * joined. Nothing is copied twice by the same cut, so 64 KB fed one byte at a time stays linear.
 */

import { asBuffer } from '../as-buffer.ts'

const EMPTY = Buffer.alloc(0)
/** Room made at least when bytes are kept: the rest of a record header is mostly smaller. */
const MIN_KEPT_BYTES = 64

export class ByteQueue {
  /** Copies of earlier chunks, in front of `#fed`. Never written where a view may have been handed out. */
  #kept: Buffer = EMPTY
  #keptStart = 0
  #keptEnd = 0
  /** The chunk of the last `push`, not copied. */
  #fed: Buffer = EMPTY
  #fedStart = 0
  /** Of the last `takeSpan`. */
  spanStart = 0

  /** Bytes that wait. */
  get length(): number {
    return this.#keptEnd - this.#keptStart + this.#fed.length - this.#fedStart
  }

  /** Holds a reference to `bytes` until they are taken or `detach` is called. */
  push(bytes: Uint8Array): void {
    if (this.#fedStart < this.#fed.length) this.detach()
    this.#fed = asBuffer(bytes)
    this.#fedStart = 0
  }

  /** The byte `index` places from the front. @throws RangeError beyond `length` */
  at(index: number): number {
    const keptLength = this.#keptEnd - this.#keptStart
    const byte =
      index < keptLength ? this.#kept[this.#keptStart + index] : this.#fed[this.#fedStart + index - keptLength]
    if (byte === undefined || index < 0) throw new RangeError(`byte ${index} of ${this.length}`)
    return byte
  }

  /** The offset of the first `byte` among the first `limit` waiting bytes; -1 where there is none. */
  indexOf(byte: number, limit: number): number {
    const keptLength = this.#keptEnd - this.#keptStart
    for (let index = 0; index < Math.min(limit, keptLength); index += 1) {
      if (this.#kept[this.#keptStart + index] === byte) return index
    }
    const fedEnd = Math.min(this.#fed.length, this.#fedStart + limit - keptLength)
    for (let index = this.#fedStart; index < fedEnd; index += 1) {
      if (this.#fed[index] === byte) return index - this.#fedStart + keptLength
    }
    return -1
  }

  /** The next `count` bytes, contiguous: a view that is valid until the chunk it came from is reused. @throws RangeError beyond `length` */
  take(count: number): Buffer {
    const keptLength = this.#keptEnd - this.#keptStart
    if (keptLength === 0) {
      const start = this.#fedStart
      if (start + count > this.#fed.length) throw new RangeError(`${count} bytes of ${this.length}`)
      this.#fedStart = start + count
      return this.#fed.subarray(start, start + count)
    }
    if (count > keptLength) {
      const missing = count - keptLength
      if (this.#fedStart + missing > this.#fed.length) throw new RangeError(`${count} bytes of ${this.length}`)
      this.#append(missing)
    }
    const bytes = this.#kept.subarray(this.#keptStart, this.#keptStart + count)
    this.#dropKept(count)
    return bytes
  }

  /** `take` without a view: the bytes stand in what is returned from `spanStart` on, and are valid as long. @throws RangeError beyond `length` */
  takeSpan(count: number): Buffer {
    if (this.#keptStart < this.#keptEnd) {
      this.spanStart = 0
      return this.take(count)
    }
    const start = this.#fedStart
    if (start + count > this.#fed.length) throw new RangeError(`${count} bytes of ${this.length}`)
    this.spanStart = start
    this.#fedStart = start + count
    return this.#fed
  }

  /** Drops `count` bytes. @throws RangeError beyond `length` */
  skip(count: number): void {
    const keptLength = this.#keptEnd - this.#keptStart
    if (count > this.length) throw new RangeError(`${count} bytes of ${this.length}`)
    if (count <= keptLength) {
      this.#dropKept(count)
      return
    }
    if (keptLength > 0) this.#dropKept(keptLength)
    this.#fedStart += count - keptLength
  }

  /** Copies what waits, so that the memory of the chunk pushed last may be reused. */
  detach(): void {
    const rest = this.#fed.length - this.#fedStart
    if (rest > 0) this.#append(rest)
    this.#fed = EMPTY
    this.#fedStart = 0
  }

  /** Moves `count` bytes from the front of `#fed` to the end of `#kept`. */
  #append(count: number): void {
    if (this.#keptEnd + count > this.#kept.length) {
      const keptLength = this.#keptEnd - this.#keptStart
      const grown = Buffer.allocUnsafe(Math.max(MIN_KEPT_BYTES, keptLength + count, 2 * keptLength))
      this.#kept.copy(grown, 0, this.#keptStart, this.#keptEnd)
      this.#kept = grown
      this.#keptStart = 0
      this.#keptEnd = keptLength
    }
    this.#fed.copy(this.#kept, this.#keptEnd, this.#fedStart, this.#fedStart + count)
    this.#keptEnd += count
    this.#fedStart += count
  }

  #dropKept(count: number): void {
    this.#keptStart += count
    if (this.#keptStart < this.#keptEnd) return
    // A view of these bytes may still be in use: they are left alone, and the next copy gets memory of its own.
    this.#kept = EMPTY
    this.#keptStart = 0
    this.#keptEnd = 0
  }
}
