/** Taken once: the global `Buffer` is an accessor. */
const { from, isBuffer } = Buffer

/** The same bytes with the methods of a Buffer; nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return isBuffer(bytes) ? bytes : from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
