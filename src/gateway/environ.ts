/**
 * The variables of a request -> environ (PEP 3333, "environ Variables"; RFC 3875 section 4.1). What is copied, dropped,
 * merged and derived, and why.
 */

import type { Environ, ErrorStream, InputStream } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { Params } from '../protocol/codec.ts'
import { applyMount, type ResolvedPath, resolvePath } from './path.ts'

/** What is the same for every request of a worker. */
export interface EnvironSettings {
  /** `--env NAME=VALUE`: weaker than what the front server sends. */
  readonly variables: readonly (readonly [name: string, value: string])[]
  /** Mount prefixes, longest first, each `/x` without a slash at its end. */
  readonly mounts: readonly string[]
  readonly multiprocess: boolean
  readonly concurrent: boolean
}

/** What only the exchange can give. */
export interface ExchangeKeys {
  readonly input: InputStream
  readonly errors: ErrorStream
  readonly after: Environ['tsgi.after']
  /** Called when the application reads `tsgi.signal`, for the same one each time: making it costs 2 us (measured, Node 20). */
  readonly signal: () => AbortSignal
  /** Undefined where the transport cannot: the key is then absent. */
  readonly upgrade: Environ['tsgi.upgrade'] | undefined
  readonly earlyHints: Environ['tsgi.early_hints'] | undefined
  /** What the worker adds: `tsgi.file_wrapper`, `tsgi.state`. */
  readonly extensions: Readonly<Record<`tsgi.${string}`, unknown>>
}

/** Where an environ keeps how to make its signal. */
const SIGNAL = Symbol('tsgi.signal')

/**
 * One getter for all requests: V8 puts each pair of accessors into the old generation, and a getter of its own would hold the
 * whole request there until a major collection (measured: 60 % of the time of a request went into collecting).
 */
const ON_FIRST_READING: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: { [SIGNAL]: () => AbortSignal }) {
    return this[SIGNAL]()
  },
  set(this: object, value: unknown) {
    Object.defineProperty(this, 'tsgi.signal', { configurable: true, enumerable: true, writable: true, value })
  },
}

/** Makes `tsgi.signal` of an environ, or of a copy of one, a property that asks `signal` when it is read. */
export function defineSignal(environ: object, signal: () => AbortSignal): void {
  Reflect.set(environ, SIGNAL, signal)
  Object.defineProperty(environ, 'tsgi.signal', ON_FIRST_READING)
}

/** Stands where the getter comes: nothing ever sees it. */
const NEVER_ABORTED = new AbortController().signal

const VERSION = [1, 0] as const
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const DIGITS = /^[0-9]{1,15}$/
const HTTPS_ON = /^(?:on|1|yes|true)$/i
const SCHEME = /^https?$/
/** No front server of sound mind passes these inside a header; a NUL ends strings elsewhere. */
const BROKEN_VALUE = /[\0\r\n]/

/** Besides its headers; what follows from them is checked with them. */
const FROM_THE_CLIENT = [
  'REQUEST_URI',
  'PATH_INFO',
  'SCRIPT_NAME',
  'QUERY_STRING',
  'CONTENT_TYPE',
  'SERVER_NAME',
] as const

const badRequest = (message: string): TsgiError => new TsgiError('TSGI_PROTOCOL_BAD_REQUEST', message)

/** @returns the environ, or the reason why this request is answered 400 without the application being called */
export function buildEnviron(params: Params, settings: EnvironSettings, keys: ExchangeKeys): Environ | TsgiError {
  const environ: Environ & { __proto__?: null; [SIGNAL]: () => AbortSignal } = {
    // A plain object would answer 'constructor' in environ with true, and swallow a variable named __proto__.
    __proto__: null,
    REQUEST_METHOD: '',
    SCRIPT_NAME: '',
    PATH_INFO: '',
    QUERY_STRING: '',
    SERVER_NAME: '',
    SERVER_PORT: '',
    SERVER_PROTOCOL: '',
    'tsgi.version': VERSION,
    'tsgi.url_scheme': 'http',
    'tsgi.input': keys.input,
    'tsgi.input_terminated': true,
    'tsgi.errors': keys.errors,
    'tsgi.multithread': false,
    'tsgi.multiprocess': settings.multiprocess,
    'tsgi.run_once': false,
    'tsgi.concurrent': settings.concurrent,
    'tsgi.signal': NEVER_ABORTED,
    'tsgi.after': keys.after,
    [SIGNAL]: keys.signal,
  }
  Object.defineProperty(environ, 'tsgi.signal', ON_FIRST_READING)
  if (keys.upgrade !== undefined) environ['tsgi.upgrade'] = keys.upgrade
  if (keys.earlyHints !== undefined) environ['tsgi.early_hints'] = keys.earlyHints
  for (const name in keys.extensions) environ[name as `tsgi.${string}`] = keys.extensions[name as `tsgi.${string}`]
  const refusal = copyVariables(environ, params, settings)
  if (refusal !== undefined) return refusal
  const pathSent = environ.PATH_INFO !== '' || hasVariable(params, 'PATH_INFO')
  return deriveVariables(environ, pathSent, settings) ?? environ
}

function hasVariable(params: Params, name: string): boolean {
  for (let index = 0; index < params.length; index += 2) if (params[index] === name) return true
  return false
}

/** A second look at the same object: its upper-case keys hold strings, and names come from the wire. */
type Variables = Record<string, string | undefined>

function copyVariables(environ: Environ, params: Params, settings: EnvironSettings): TsgiError | undefined {
  // The object was made by buildEnviron; names that start with `tsgi.` never get here, so only strings are seen.
  const variables = environ as unknown as Variables
  for (const [name, value] of settings.variables) variables[name] = value
  const deployed = settings.variables.length > 0
  const seen = deployed ? new Set<string>() : undefined
  for (let index = 0; index < params.length; index += 2) {
    const name = params[index] ?? ''
    const value = params[index + 1] ?? ''
    if (!name.startsWith('HTTP_')) {
      if (name.startsWith('tsgi.')) continue // a string must not replace the stream
      variables[name] = value
      continue
    }
    if (BROKEN_VALUE.test(value)) return badRequest(`the value of ${name} has a line break or a NUL`)
    const before = seen === undefined || seen.has(name) ? variables[name] : undefined
    seen?.add(name)
    if (before === undefined || before === '') variables[name] = value
    else if (name === 'HTTP_HOST') {
      if (before !== value) return badRequest('two Host headers that differ')
    } else variables[name] = `${before}${name === 'HTTP_COOKIE' ? '; ' : ', '}${value}`
  }
  for (const name of FROM_THE_CLIENT) {
    if (variables[name]?.includes('\0') === true) return badRequest(`the value of ${name} has a NUL`)
  }
  // The bare forms count; copies under HTTP_ may disagree with them. HTTP_PROXY is the hole of httpoxy.
  if (variables['HTTP_CONTENT_LENGTH'] !== undefined) delete variables['HTTP_CONTENT_LENGTH']
  if (variables['HTTP_CONTENT_TYPE'] !== undefined) delete variables['HTTP_CONTENT_TYPE']
  if (variables['HTTP_PROXY'] !== undefined) delete variables['HTTP_PROXY']
  if (variables['CONTENT_LENGTH'] === '') delete variables['CONTENT_LENGTH']
  if (variables['CONTENT_TYPE'] === '') delete variables['CONTENT_TYPE']
  return undefined
}

function deriveVariables(environ: Environ, pathSent: boolean, settings: EnvironSettings): TsgiError | undefined {
  if (environ.REQUEST_METHOD === '') {
    return badRequest('REQUEST_METHOD is missing: does the front server include its *_params file?')
  }
  if (!TOKEN.test(environ.REQUEST_METHOD)) return badRequest('REQUEST_METHOD is no token')
  if (environ.CONTENT_LENGTH !== undefined && !DIGITS.test(environ.CONTENT_LENGTH)) {
    return badRequest('CONTENT_LENGTH is no number')
  }
  if (environ['UWSGI_ROUTER'] !== undefined && environ.CONTENT_LENGTH === undefined && isChunked(environ)) {
    // Without --http-chunked-input it drops the body; an application would take it for an empty one.
    return new TsgiError('TSGI_PROTOCOL_LENGTH_REQUIRED', "uWSGI's router does not pass chunked bodies on")
  }
  const path = resolvePath(environ, pathSent)
  if (path === undefined) return badRequest('the path neither starts with a slash nor is *')
  const { scriptName, pathInfo }: ResolvedPath = applyMount(path, settings.mounts)
  environ.SCRIPT_NAME = scriptName
  environ.PATH_INFO = pathInfo
  const scheme = schemeOf(environ)
  environ['tsgi.url_scheme'] = scheme
  if (environ.SERVER_NAME === '') environ.SERVER_NAME = 'localhost'
  if (environ.SERVER_PORT === '') environ.SERVER_PORT = scheme === 'https' ? '443' : '80'
  if (environ.SERVER_PROTOCOL === '') environ.SERVER_PROTOCOL = 'HTTP/1.1'
  return undefined
}

const isChunked = (environ: Environ): boolean => /\bchunked\b/i.test(environ['HTTP_TRANSFER_ENCODING'] ?? '')

/** The front server's word counts; X-Forwarded-Proto is the client's and never does. */
function schemeOf(environ: Environ): 'http' | 'https' {
  const https = environ['HTTPS']
  if (https !== undefined && HTTPS_ON.test(https)) return 'https'
  const scheme = environ['REQUEST_SCHEME'] ?? environ['UWSGI_SCHEME']
  return scheme !== undefined && SCHEME.test(scheme) && scheme === 'https' ? 'https' : 'http'
}
