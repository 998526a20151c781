/**
 * Importing the application's file. JavaScript needs nothing; TypeScript goes through Node's own type stripping where it has
 * it and where it is enough, else through tsx, which is registered in this process only: the master stays free of it.
 */

import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { createRequire, register } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { asError, errorCode, isError, TsgiError } from '../../errors.ts'
import { ownModule } from '../../own-module.ts'
import { freshUrl, installFreshModules } from './fresh-modules-hook.ts'
import { located } from './syntax-error.ts'

export type TsLoader = 'auto' | 'native' | 'tsx'

interface Imported {
  /** A module namespace, or what a CommonJS file assigned to module.exports. */
  readonly module: unknown
  readonly loader: 'node' | 'native' | 'tsx'
}

/**
 * @param path absolute
 * @param say told when a file that Node's stripping refuses is loaded another way
 * @throws whatever the file throws, or what is wrong with its syntax or imports
 */
export async function importFile(path: string, tsLoader: TsLoader, say: (message: string) => void): Promise<Imported> {
  const url = pathToFileURL(path).href
  if (!needsLoader(path)) {
    // Compiled from TypeScript, maybe: then its stacks name the source.
    process.setSourceMapsEnabled(true)
    return { module: await importLocated(url), loader: 'node' }
  }
  if (tsLoader === 'tsx' || (tsLoader === 'auto' && !canStripTypes())) {
    return { module: await importWithTsx(path), loader: 'tsx' }
  }
  if (!canStripTypes()) {
    throw new TsgiError(
      'TSGI_LOAD',
      `Node ${process.versions.node} cannot load TypeScript by itself; use --ts-loader tsx`,
    )
  }
  try {
    return { module: await import(url), loader: 'native' }
  } catch (error) {
    const why = tsLoader === 'auto' ? beyondStripping(error) : undefined
    if (why === undefined) throw await located(error, url)
    say(`${path} is loaded with tsx: Node's own type stripping stopped at ${why}`)
    return { module: await importWithTsx(path, true), loader: 'tsx' }
  }
}

async function importLocated(url: string): Promise<unknown> {
  try {
    return await import(url)
  } catch (error) {
    throw await located(error, url)
  }
}

/** TypeScript, and what only tsx can load: JSX. */
function needsLoader(path: string): boolean {
  return /^\.(?:[cm]?tsx?|jsx)$/.test(extname(path))
}

function canStripTypes(): boolean {
  // The types of @types/node know it as of 22.10 only; Node 20 has no such property.
  return 'typescript' in process.features && process.features.typescript !== false
}

/** What tsx can do that stripping types cannot: other syntax, other ways to name a module, packages in TypeScript. */
const BEYOND_STRIPPING = new Set([
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_MODULE_NOT_FOUND',
  'MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNKNOWN_FILE_EXTENSION',
])

/** A short reason, or undefined where tsx would not fare better. */
function beyondStripping(error: unknown): string | undefined {
  if (!isError(error)) return undefined
  const code = errorCode(error)
  // Without a code: a decorator, or a type imported as if it were a value.
  if (code === undefined ? !(error instanceof SyntaxError) : !BEYOND_STRIPPING.has(code)) return undefined
  return (asError(error).message.split('\n')[0] ?? '').trim()
}

/** @param again Node has tried without, and remembers that it failed */
async function importWithTsx(path: string, again = false): Promise<unknown> {
  // It would fail for want of a place for its cache, as where the whole file system is read-only.
  if (!isWritable(tmpdir())) process.env['TSX_DISABLE_CACHE'] ??= '1'
  const [esm, cjs] = await Promise.all([import('tsx/esm/api'), import('tsx/cjs/api')])
  const tsconfig = findUp(dirname(path), 'tsconfig.json')
  registerCommonJs(cjs.register, tsconfig)
  esm.register(tsconfig === undefined ? {} : { tsconfig })
  process.setSourceMapsEnabled(true)
  if (again) installFreshModules()
  const fileUrl = pathToFileURL(path).href
  const url = again ? freshUrl(fileUrl) : fileUrl
  const kind = moduleKind(path)
  if (kind === 'module') return import(url)
  try {
    // Node 22 imports a CommonJS file with a suffix as an empty module while tsx is registered; require is right everywhere.
    return createRequire(path)(path)
  } catch (error) {
    if (kind === 'commonjs' || !isAwaitRefused(error)) throw error
    register(ownModule('worker/load/typeless-hook'))
    return import(`${url}${again ? '&' : '?'}esm`)
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    // Missing, or not ours, or on a file system that takes nothing: the answer is no.
    return false
  }
}

/** It takes the tsconfig.json of the working directory, unless the environment names another. */
function registerCommonJs(registerHook: () => unknown, tsconfig: string | undefined): void {
  const before = process.env['TSX_TSCONFIG_PATH']
  if (tsconfig !== undefined) process.env['TSX_TSCONFIG_PATH'] = tsconfig
  registerHook()
  if (before === undefined) delete process.env['TSX_TSCONFIG_PATH']
  else process.env['TSX_TSCONFIG_PATH'] = before
}

/** As Node decides: by extension, then by the nearest package.json (nodejs.org/api/packages, "Determining module system"). */
function moduleKind(path: string): 'module' | 'commonjs' | 'unsaid' {
  const extension = extname(path)
  if (extension.startsWith('.m')) return 'module'
  if (extension.startsWith('.c')) return 'commonjs'
  const file = findUp(dirname(path), 'package.json')
  if (file === undefined) return 'unsaid'
  const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const type = typeof parsed === 'object' && parsed !== null && 'type' in parsed ? parsed.type : undefined
  return type === 'module' || type === 'commonjs' ? type : 'unsaid'
}

function findUp(folder: string, name: string): string | undefined {
  const file = join(folder, name)
  if (existsSync(file)) return file
  const parent = dirname(folder)
  return parent === folder ? undefined : findUp(parent, name)
}

/** esbuild's words for an await that CommonJS cannot have; the code is what Node 20 and later give it. */
function isAwaitRefused(error: unknown): boolean {
  return isError(error) && asError(error).message.includes('Top-level await is currently not supported')
}
