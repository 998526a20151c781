/**
 * Runs in a process of its own: imports the configuration file given as argument and writes what it exports to a descriptor
 * as MessagePack. So a file in TypeScript leaves no loader hook in the master, and a reload reads everything anew.
 */

import { writeFileSync } from 'node:fs'
import { types } from 'node:util'
import { pack } from 'msgpackr'
import { asError, describe } from '../errors.ts'
import { ANSWER_FD, type ConfigAnswer } from '../options/config-file.ts'
import { ownFrames } from '../worker/load/own-stack.ts'
import { importFile } from '../worker/load/typescript.ts'

/** `export default`, also where a CommonJS wrapper put it one level deeper, or what CommonJS assigned to module.exports. */
function defaultExport(module: unknown): unknown {
  const outer = property(module, 'default')
  if (outer === undefined && !isEsm(module)) return module
  return property(outer, '__esModule') === true ? property(outer, 'default') : outer
}

function isEsm(module: unknown): boolean {
  return property(module, '__esModule') === true || types.isModuleNamespaceObject(module)
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** The first value that cannot go to another process, as `key: what it is`. */
function findOpaque(value: unknown, name: string): string | undefined {
  if (['function', 'symbol', 'bigint'].includes(typeof value)) return `${name}: ${describe(value)} is no option's value`
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const found = findOpaque(inner, Array.isArray(value) ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

async function readConfig(path: string): Promise<ConfigAnswer> {
  try {
    const values = await defaultExport((await importFile(path, 'auto', () => undefined)).module)
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      const found = values === undefined ? 'it has no default export' : `its default export is ${describe(values)}`
      return { ok: false, message: `${found}; wanted: export default defineConfig({ ... })` }
    }
    const opaque = findOpaque(values, '')
    if (opaque !== undefined) return { ok: false, message: opaque }
    return { ok: true, values: { ...values } }
  } catch (thrown) {
    const error = asError(thrown)
    return { ok: false, message: error.message, stack: ownFrames(error.stack ?? error.message) }
  }
}

const answer = await readConfig(process.argv[2] ?? '')
writeFileSync(ANSWER_FD, pack(answer))
// A file that left a timer or a socket behind must not hold up the start.
process.exit(0)
