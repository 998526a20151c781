/** From `path/to/app.ts:name` to what that file exports there. What to make of it is up to src/interfaces. */

import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { asError, describe, isError, TsgiError } from '../../errors.ts'
import { nearest } from '../../nearest.ts'
import { exportsOf, listExports, type Picked, pickExport } from './exports.ts'
import { mainGuardOf } from './main-guard.ts'
import { placeOf } from './syntax-error.ts'
import { importFile, type TsLoader } from './typescript.ts'

interface LoadSettings {
  readonly tsLoader: TsLoader
  /** Told what an operator may want to know: a file that needed another loader than expected. */
  readonly say?: (message: string) => void
  /** Asked when a file exports no application: true where it started a server of its own instead (`listen`). */
  readonly listened?: () => boolean | Promise<boolean>
}

interface LoadedExport {
  /** Undefined where the file exports nothing and `listened` said that this is fine. */
  readonly exported: unknown
  /** `application`, `default`, `api.handler`, `makeApp()`; `` where nothing was exported. */
  readonly exportName: string
  /** The operator has said which export. */
  readonly isNamed: boolean
  readonly loader: 'node' | 'native' | 'tsx'
}

interface Spec {
  /** Absolute. */
  readonly path: string
  readonly name: string | undefined
  /** `name()`: what it returns is the application. */
  readonly call: boolean
}

const EXTENSIONS = ['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx']

/**
 * @param spec `app.ts`, `app.ts:name`, `app.ts:api.handler`, `app.ts:makeApp()`
 * @throws TsgiError TSGI_LOAD: what was found and what was wanted, the original error as its cause
 */
export async function loadApplication(spec: string, settings: LoadSettings): Promise<LoadedExport> {
  const wanted = parseSpec(spec)
  const { path } = wanted
  const file = basename(path)
  const { module, loader } = await importFile(path, settings.tsLoader, settings.say ?? (() => undefined)).catch(
    (error: unknown) => {
      throw loadError(`${file} could not be loaded: ${reasonOf(error)}`, error)
    },
  )
  const picked = pickExport(module, wanted.name)
  if (picked === undefined) {
    if (wanted.name === undefined && (await settings.listened?.()) === true) {
      return { exported: undefined, exportName: '', isNamed: false, loader }
    }
    throw new TsgiError('TSGI_LOAD', missingExport(wanted, module))
  }
  return { ...(await settle(picked, wanted, file)), isNamed: wanted.name !== undefined, loader }
}

function parseSpec(spec: string): Spec {
  const whole = resolve(spec)
  // A file whose own name has a colon in it.
  const colon = existsSync(whole) ? -1 : spec.lastIndexOf(':')
  const path = colon === -1 ? whole : resolve(spec.slice(0, colon))
  checkFile(path)
  if (colon === -1) return { path, name: undefined, call: false }
  const suffix = spec.slice(colon + 1)
  const match = /^([\p{ID_Start}$_][\p{ID_Continue}$]*(?:\.[\p{ID_Start}$_][\p{ID_Continue}$]*)*)(\(\))?$/u.exec(suffix)
  if (match === null) {
    throw new TsgiError(
      'TSGI_LOAD',
      `${describe(suffix)} after the colon is no export; wanted: name, name.member or name()`,
    )
  }
  return { path, name: match[1], call: match[2] !== undefined }
}

function checkFile(path: string): void {
  const file = readableFile(path)
  const extension = extname(path)
  if (file === undefined) {
    const meant = EXTENSIONS.map((candidate) => `${path.slice(0, path.length - extension.length)}${candidate}`)
    const near = meant.find((candidate) => existsSync(candidate))
    throw new TsgiError('TSGI_LOAD', `there is no file ${path}${near === undefined ? '' : `; did you mean ${near}?`}`)
  }
  if (!file.isFile()) throw new TsgiError('TSGI_LOAD', `${path} is no file; name the file that exports the application`)
  if (!EXTENSIONS.includes(extension)) {
    throw new TsgiError('TSGI_LOAD', `${path} is no program; wanted: a file that ends in ${EXTENSIONS.join(' ')}`)
  }
}

/** @throws TsgiError TSGI_LOAD where this user may not read it */
function readableFile(path: string): Stats | undefined {
  try {
    const file = statSync(path, { throwIfNoEntry: false })
    if (file !== undefined) accessSync(path, constants.R_OK)
    return file
  } catch (error) {
    const user = process.getuid?.() ?? '?'
    throw new TsgiError(
      'TSGI_LOAD',
      `user ${user} may not read ${path} (${reasonOf(error)}): let that user read it and enter the folders above it, or serve as another (--user)`,
      { cause: error },
    )
  }
}

/** Calls a factory, and waits for an application that is still being made. */
async function settle(picked: Picked, { call }: Spec, file: string): Promise<Picked> {
  const { exportName, exported } = picked
  if (call && typeof exported !== 'function') {
    throw new TsgiError(
      'TSGI_LOAD',
      `${file}: ${exportName}() was asked for, but ${exportName} is ${describe(exported)}`,
    )
  }
  try {
    const result: unknown = await (call && typeof exported === 'function' ? exported() : exported)
    if (result === undefined || result === null) {
      throw new TsgiError('TSGI_LOAD', `${file}: ${exportName}${call ? '() returned' : ' is'} ${describe(result)}`)
    }
    return { exported: result, exportName: call ? `${exportName}()` : exportName }
  } catch (error) {
    if (error instanceof TsgiError) throw error
    throw loadError(`${file}: ${exportName}${call ? '()' : ''} failed: ${reasonOf(error)}`, error)
  }
}

function missingExport({ path, name }: Spec, module: unknown): string {
  const file = basename(path)
  const found = `${file} exports ${listExports(module)}`
  if (name === undefined) {
    const wanted = `${found}; wanted: an export named application, or a default export`
    const [only, ...others] = [...exportsOf(module)].filter(([, value]) => typeof value === 'function')
    if (only !== undefined && others.length === 0) return `${wanted}; for ${only[0]} say ${file}:${only[0]}`
    const guard = mainGuardOf(path)
    return guard === undefined ? wanted : `${wanted}; what it does only as the main module (${guard}) is not done here`
  }
  const near = nearest(name, exportsOf(module).keys())
  return `${found}; wanted: ${name}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** The message says it in a line; the stack of the cause says where. */
function loadError(message: string, error: unknown): TsgiError {
  return new TsgiError('TSGI_LOAD', message, { cause: error })
}

/** In a line: what is wrong and, where it is the syntax, in which. */
function reasonOf(error: unknown): string {
  const message = isError(error) ? asError(error).message : describe(error)
  const [first = '', second] = message.split('\n')
  // esbuild: a heading, and below it a line for each mistake, which begins with its place.
  if (first.endsWith(':') && second !== undefined) return second.trim()
  const place = isError(error) && error instanceof SyntaxError ? placeOf(error) : undefined
  return place === undefined ? first : `${place}: ${first}`
}
