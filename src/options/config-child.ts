/**
 * Runs in a process of its own: imports the configuration file given as argument and writes what it exports to descriptor 3
 * as MessagePack. So a file in TypeScript leaves no loader hook in the master, and a reload reads everything anew.
 */

import { writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { pack } from 'msgpackr'
import { asError, describe } from '../errors.ts'

export type ConfigAnswer =
  | { readonly ok: true; readonly values: Record<string, unknown> }
  /** `stack` when the file itself failed, undefined when what it exports is no configuration. */
  | { readonly ok: false; readonly message: string; readonly stack?: string }

/** Node's own stripping refuses these; tsx compiles or resolves them. */
const BEYOND_STRIPPING = [
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
]

async function importFile(path: string): Promise<unknown> {
  const url = pathToFileURL(path).href
  if (!/\.[cm]?ts$/.test(path)) return import(url)
  if ('typescript' in process.features && process.features.typescript) {
    try {
      return await import(url)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (typeof code !== 'string' || !BEYOND_STRIPPING.includes(code)) throw error
    }
  }
  const [esm, cjs] = await Promise.all([import('tsx/esm/api'), import('tsx/cjs/api')])
  esm.register()
  cjs.register()
  process.setSourceMapsEnabled(true)
  // Another URL than the one that failed above, which Node remembers as failed.
  return import(`${url}?tsx`)
}

/** `export default`, also where a CommonJS wrapper put it one level deeper. */
function defaultExport(module: unknown): unknown {
  const outer = property(module, 'default')
  return property(outer, '__esModule') === true ? property(outer, 'default') : outer
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
    const values = await defaultExport(await importFile(path))
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

/** Without the frames of Node, tsx and this file: the author of the configuration looks for their own. */
function ownFrames(stack: string): string {
  const lines = stack.split('\n')
  return lines.filter((line) => !/^ +at .*(?:node:internal|[/\\]tsx[/\\]dist|config-child)/.test(line)).join('\n')
}

const answer = await readConfig(process.argv[2] ?? '')
writeSync(3, pack(answer))
// A file that left a timer or a socket behind must not hold up the start.
process.exit(0)
