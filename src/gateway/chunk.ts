/** What counts as bytes: a Uint8Array of any realm, Buffer included (PEP 3333, "bytestrings"). */

const tag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get

export function isBytes(value: unknown): value is Uint8Array {
  // The accessor reads an internal slot: a string from another realm's or a subclass's array, undefined from anything else.
  return value instanceof Uint8Array || tag?.call(value) === 'Uint8Array'
}
