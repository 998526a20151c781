/**
 * The names of the variables of the request before. A front server sends the same names in the same order request after
 * request, so a name is nearly always the string of last time: no allocation, and as a key that V8 has hashed already.
 * One list serves all connections of a protocol; a name is reused only where the bytes are equal.
 */
export class PreviousNames {
  readonly #names: string[] = []

  /**
   * The name at `text[start, end)` of the variable number `place`.
   * @param text the block that holds all variables, one code unit per byte
   * @param bytes the same block: a new name is made from it, for a substring would keep the whole block alive
   */
  name(place: number, text: string, bytes: Buffer, start: number, end: number): string {
    const previous = this.#names[place]
    if (previous !== undefined && previous.length === end - start && text.startsWith(previous, start)) return previous
    const name = bytes.toString('latin1', start, end)
    // Places are filled in order, so the list never has holes; beyond MAX_PLACES nothing is remembered.
    if (place <= this.#names.length && place < MAX_PLACES && name.length <= MAX_NAME_BYTES) this.#names[place] = name
    return name
  }
}

/** What is remembered: 128 names of at most 64 bytes, more than any front server's fixed variables. */
const MAX_PLACES = 128
const MAX_NAME_BYTES = 64
