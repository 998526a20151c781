/** Which of a file's exports is the application: by the name that was asked for, else `application`, else the default. */

import { types } from 'node:util'
import { describe } from '../../errors.ts'

export interface Picked {
  readonly exported: unknown
  /** As asked for or found: `application`, `default`, `api.application`. */
  readonly exportName: string
}

/** The exports by name. What CommonJS assigned whole to module.exports counts as the default, and by its members. */
export function exportsOf(module: unknown): ReadonlyMap<string, unknown> {
  if (!isBag(module)) return new Map([['default', module]])
  const whole = Reflect.get(module, 'default')
  const inner = isBag(whole) ? whole : {}
  // Its members first, so that real exports of the same name win.
  const exports = new Map<string, unknown>(Object.entries(inner))
  for (const [name, value] of Object.entries(module)) {
    if (name !== 'default' || !isTranspiled(inner)) exports.set(name, value)
  }
  if (!exports.has('default') && !types.isModuleNamespaceObject(module) && !isTranspiled(module)) {
    exports.set('default', module)
  }
  // What CommonJS has where nothing was assigned to it.
  const byDefault = exports.get('default')
  if (isBag(byDefault) && Reflect.ownKeys(byDefault).length === 0) exports.delete('default')
  exports.delete('__esModule')
  exports.delete('module.exports')
  return exports
}

/** @returns undefined where there is no such export; a member of an export is reached by dots */
export function pickExport(module: unknown, name: string | undefined): Picked | undefined {
  const exports = exportsOf(module)
  if (name === undefined) {
    for (const candidate of ['application', 'default']) {
      const exported = exports.get(candidate)
      if (exported !== undefined) return { exported, exportName: candidate }
    }
    return undefined
  }
  const [first = '', ...path] = name.split('.')
  let value = exports.get(first)
  for (const step of path) {
    if (!isObject(value)) return undefined
    const owner: object = value
    const member: unknown = Reflect.get(owner, step)
    // Bound, since `api.handle` is called without its owner.
    value = typeof member === 'function' ? member.bind(owner) : member
  }
  return value === undefined ? undefined : { exported: value, exportName: name }
}

/** For messages: `application (function handle), config (an object)`. */
export function listExports(module: unknown): string {
  const exports = [...exportsOf(module)].map(([name, value]) => `${name} (${describe(value)})`)
  return exports.length === 0 ? 'nothing' : exports.join(', ')
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/** A namespace or a plain object; an Express application or a server, assigned whole, is no bag of exports. */
function isBag(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** ESM that a compiler turned into CommonJS. */
function isTranspiled(value: object): boolean {
  return Reflect.get(value, '__esModule') === true
}
