/**
 * The variables of a request -> environ (PEP 3333, "environ Variables"; RFC 3875 section 4.1). What is copied, dropped,
 * merged and derived, and why.
 */

import type { Environ, ErrorStream, InputStream } from '../application.ts'
import { TsgiError } from '../errors.ts'
import type { Params } from '../protocol/codec.ts'
import { applyMount, type ResolvedPath, resolvePath } from './path.ts'
import { SENT } from './sent.ts'
import { type Role, RoleMemory, roleOf } from './variable-roles.ts'

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
  /** Asked when the application reads `tsgi.signal`: making one costs 2 us (measured, Node 20). */
  readonly signal: SignalSource
  /** Undefined where the transport cannot: the key is then absent. */
  readonly upgrade: Environ['tsgi.upgrade'] | undefined
  readonly earlyHints: Environ['tsgi.early_hints'] | undefined
  /** What the worker adds: `tsgi.file_wrapper`, `tsgi.state`. */
  readonly extensions: readonly (readonly [key: `tsgi.${string}`, value: unknown])[]
}

/** Where an environ keeps who makes its signal. */
const SIGNAL = Symbol('tsgi.signal')

/** Makes the signal of a request when the application first asks for it, and the same one each time. */
export interface SignalSource {
  signal(): AbortSignal
}

/**
 * One getter for all requests: V8 puts each pair of accessors into the old generation, and a getter of its own would hold the
 * whole request there until a major collection (measured: 60 % of the time of a request went into collecting).
 */
const ON_FIRST_READING: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: { [SIGNAL]: SignalSource }) {
    return this[SIGNAL].signal()
  },
  set(this: object, value: unknown) {
    Object.defineProperty(this, 'tsgi.signal', { configurable: true, enumerable: true, writable: true, value })
  },
}

/** Makes `tsgi.signal` of an environ, or of a copy of one, a property that asks `source` when it is read. */
export function defineSignal(environ: object, source: SignalSource): void {
  Reflect.set(environ, SIGNAL, source)
  Object.defineProperty(environ, 'tsgi.signal', ON_FIRST_READING)
}

const VERSION = [1, 0] as const
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const DIGITS = /^[0-9]{1,15}$/
const HTTPS_ON = /^(?:on|1|yes|true)$/i
/** No front server of sound mind passes these inside a header; a NUL ends strings elsewhere. */
const BROKEN_VALUE = /[\0\r\n]/

const badRequest = (message: string): TsgiError => new TsgiError('TSGI_PROTOCOL_BAD_REQUEST', message)

/**
 * What every front server sends: in the literal although it may be lacking, for V8 makes room for twice as many keys from the
 * twenty-second on, and grows the object once less (measured, Node 20: a third of the time of building an environ).
 */
const USUAL = ['DOCUMENT_ROOT', 'REMOTE_ADDR', 'REMOTE_PORT', 'REQUEST_SCHEME', 'REQUEST_URI'] as const

/** An environ while it is filled. Keyed, so that V8 adds by its generic stub: named additions to a dictionary call into C++. */
type Unfilled = Record<PropertyKey, unknown>

/** A second look at the same object: its upper-case keys hold strings, or null until they are sent, and names come from the wire. */
type Variables = Record<string, string | null | undefined>

const roles = new RoleMemory()

/** @returns the environ, or the reason why this request is answered 400 without the application being called */
export function buildEnviron(params: Params, settings: EnvironSettings, keys: ExchangeKeys): Environ | TsgiError {
  // Constants only: V8 then copies the whole literal at once, where it would define each other value by a call into C++.
  const unfilled: Unfilled = {
    // A plain object would answer 'constructor' in environ with true, and swallow a variable named __proto__.
    __proto__: null,
    DOCUMENT_ROOT: null,
    REMOTE_ADDR: null,
    REMOTE_PORT: null,
    REQUEST_SCHEME: null,
    REQUEST_URI: null,
    REQUEST_METHOD: '',
    SCRIPT_NAME: '',
    PATH_INFO: '',
    QUERY_STRING: '',
    SERVER_NAME: '',
    SERVER_PORT: '',
    SERVER_PROTOCOL: '',
    'tsgi.version': null,
    'tsgi.url_scheme': 'http',
    'tsgi.input': null,
    'tsgi.input_terminated': true,
    'tsgi.errors': null,
    'tsgi.multithread': false,
    'tsgi.multiprocess': false,
    'tsgi.run_once': false,
    'tsgi.concurrent': false,
    'tsgi.after': null,
  }
  unfilled['tsgi.version'] = VERSION
  unfilled['tsgi.input'] = keys.input
  unfilled['tsgi.errors'] = keys.errors
  unfilled['tsgi.multiprocess'] = settings.multiprocess
  unfilled['tsgi.concurrent'] = settings.concurrent
  unfilled['tsgi.after'] = keys.after
  put(unfilled, SIGNAL, keys.signal)
  if (settings.variables.length === 0) put(unfilled, SENT, params)
  // Not among the constants: to turn a value into accessors costs twice as much as to add them (1.1 against 0.5 us).
  Object.defineProperty(unfilled, 'tsgi.signal', ON_FIRST_READING)
  if (keys.upgrade !== undefined) put(unfilled, 'tsgi.upgrade', keys.upgrade)
  if (keys.earlyHints !== undefined) put(unfilled, 'tsgi.early_hints', keys.earlyHints)
  for (const [name, value] of keys.extensions) put(unfilled, name, value)
  // Names that start with `tsgi.` are ignored, so only strings are seen.
  const refusal = copyVariables(unfilled as Variables, params, settings)
  if (refusal !== undefined) return refusal
  // Every key of an Environ has its value now.
  const environ = unfilled as unknown as Environ
  const pathSent = environ.PATH_INFO !== '' || hasVariable(params, 'PATH_INFO')
  return deriveVariables(environ, pathSent, settings) ?? environ
}

function put(environ: Unfilled, key: PropertyKey, value: unknown): void {
  environ[key] = value
}

function hasVariable(params: Params, name: string): boolean {
  for (let index = 0; index < params.length; index += 2) if (params[index] === name) return true
  return false
}

function copyVariables(variables: Variables, params: Params, settings: EnvironSettings): TsgiError | undefined {
  const deployed = settings.variables.length > 0
  for (const [name, value] of settings.variables) if (isKept(roleOf(name))) variables[name] = value
  const seen = deployed ? new Set<string>() : undefined
  for (let index = 0; index < params.length; index += 2) {
    const name = params[index] ?? ''
    const value = params[index + 1] ?? ''
    const role = roles.read(index >> 1, name)
    switch (role) {
      case 'plain':
      case 'length':
        break
      case 'path':
      case 'type':
        if (value.includes('\0')) return badRequest(`the value of ${name} has a NUL`)
        break
      case 'header':
      case 'host':
      case 'dropped': {
        if (BROKEN_VALUE.test(value)) return badRequest(`the value of ${name} has a line break or a NUL`)
        if (role === 'dropped') continue
        const before = seen === undefined || seen.has(name) ? variables[name] : undefined
        seen?.add(name)
        if (before === undefined || before === '') break
        if (role === 'header') variables[name] = `${before}${name === 'HTTP_COOKIE' ? '; ' : ', '}${value}`
        else if (before !== value) return badRequest('two Host headers that differ')
        continue
      }
      case 'ignored':
        continue
    }
    if (value === '' && (role === 'length' || role === 'type')) delete variables[name]
    else variables[name] = value
  }
  for (const name of USUAL) if (variables[name] === null) delete variables[name]
  return undefined
}

const isKept = (role: Role): boolean => role !== 'ignored' && role !== 'dropped'

function deriveVariables(environ: Environ, pathSent: boolean, settings: EnvironSettings): TsgiError | undefined {
  const { REQUEST_METHOD: method, CONTENT_LENGTH: length } = environ
  if (method === '') return badRequest('REQUEST_METHOD is missing: does the front server include its *_params file?')
  if (method !== 'GET' && !TOKEN.test(method)) return badRequest('REQUEST_METHOD is no token')
  if (length !== undefined && !DIGITS.test(length)) return badRequest('CONTENT_LENGTH is no number')
  if (length === undefined && environ['UWSGI_ROUTER'] !== undefined && isChunked(environ)) {
    // Without --http-chunked-input it drops the body; an application would take it for an empty one.
    return new TsgiError('TSGI_PROTOCOL_LENGTH_REQUIRED', "uWSGI's router does not pass chunked bodies on")
  }
  const path = resolvePath(environ, pathSent)
  if (path === undefined) return badRequest('the path neither starts with a slash nor is *')
  const { scriptName, pathInfo }: ResolvedPath = applyMount(path, settings.mounts)
  environ.SCRIPT_NAME = scriptName
  environ.PATH_INFO = pathInfo
  const isHttps = isSecure(environ)
  if (isHttps) environ['tsgi.url_scheme'] = 'https'
  if (environ.SERVER_NAME === '') environ.SERVER_NAME = 'localhost'
  if (environ.SERVER_PORT === '') environ.SERVER_PORT = isHttps ? '443' : '80'
  if (environ.SERVER_PROTOCOL === '') environ.SERVER_PROTOCOL = 'HTTP/1.1'
  return undefined
}

const isChunked = (environ: Environ): boolean => /\bchunked\b/i.test(environ['HTTP_TRANSFER_ENCODING'] ?? '')

/** The front server's word counts; X-Forwarded-Proto is the client's and never does. */
function isSecure(environ: Environ): boolean {
  const https = environ['HTTPS']
  if (https !== undefined && HTTPS_ON.test(https)) return true
  return (environ['REQUEST_SCHEME'] ?? environ['UWSGI_SCHEME']) === 'https'
}
