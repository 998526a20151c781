/** The variables of a request -> environ (PEP 3333, "environ Variables"). */

import type { Environ, ErrorStream } from '../application.ts'
import { lazyProperty } from './lazy-property.ts'
import type { RequestSource } from './request-source.ts'
import type { SentVariables, VariableSettings } from './sent-variables.ts'
import { isAbsent } from './variable-names.ts'

/** What is the same for every request of a worker. */
export interface EnvironSettings extends VariableSettings {
  readonly multiprocess: boolean
  readonly concurrent: boolean
}

/** What only the exchange can give. */
export interface ExchangeKeys extends Pick<RequestSource, 'input' | 'after' | 'signal'> {
  readonly errors: ErrorStream
  /** Undefined where the transport cannot: the key is then absent. */
  readonly upgrade: Environ['tsgi.upgrade'] | undefined
  readonly earlyHints: Environ['tsgi.early_hints'] | undefined
  /** What the worker adds: `tsgi.file_wrapper`, `tsgi.state`. */
  readonly extensions: readonly (readonly [key: `tsgi.${string}`, value: unknown])[]
}

/** Where an environ keeps who makes its signal. */
const SIGNAL = Symbol('tsgi.signal')

/** Makes the signal of a request when the application first asks for it, and the same one each time. */
interface SignalSource {
  signal(): AbortSignal
}

const ON_FIRST_READING = lazyProperty('tsgi.signal', (environ: { [SIGNAL]: SignalSource }) => environ[SIGNAL].signal())

/** Makes `tsgi.signal` of an environ, or of a copy of one, a property that asks `source` when it is read. */
export function defineSignal(environ: object, source: SignalSource): void {
  Reflect.set(environ, SIGNAL, source)
  Object.defineProperty(environ, 'tsgi.signal', ON_FIRST_READING)
}

const VERSION = [1, 0] as const
/**
 * What every front server sends: in the literal although it may be lacking, for V8 makes room for twice as many keys from the
 * twenty-second on, and grows the object once less (measured, Node 20: a third of the time of building an environ).
 */
const USUAL = ['DOCUMENT_ROOT', 'REMOTE_ADDR', 'REMOTE_PORT', 'REQUEST_SCHEME', 'REQUEST_URI'] as const

/** An environ while it is filled. Keyed, so that V8 adds by its generic stub: named additions to a dictionary call into C++. */
type Unfilled = Record<PropertyKey, unknown>

export function buildEnviron(variables: SentVariables, settings: EnvironSettings, keys: ExchangeKeys): Environ {
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
  unfilled['tsgi.after'] = (callback: Parameters<Environ['tsgi.after']>[0]) => keys.after(callback)
  put(unfilled, SIGNAL, keys)
  // Not among the constants: to turn a value into accessors costs twice as much as to add them (1.1 against 0.5 us).
  Object.defineProperty(unfilled, 'tsgi.signal', ON_FIRST_READING)
  const { upgrade, earlyHints, extensions } = keys
  if (upgrade !== undefined) put(unfilled, 'tsgi.upgrade', upgrade)
  if (earlyHints !== undefined) put(unfilled, 'tsgi.early_hints', earlyHints)
  for (const [name, value] of extensions) put(unfilled, name, value)
  const { list } = variables
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] ?? ''
    const value = list[index + 1] ?? ''
    if (!isAbsent(name, value)) unfilled[name] = value
  }
  for (const name of USUAL) if (unfilled[name] === null) delete unfilled[name]
  unfilled['SCRIPT_NAME'] = variables.scriptName
  unfilled['PATH_INFO'] = variables.pathInfo
  if (variables.scheme === 'https') unfilled['tsgi.url_scheme'] = 'https'
  if (unfilled['SERVER_NAME'] === '') unfilled['SERVER_NAME'] = variables.serverName
  if (unfilled['SERVER_PORT'] === '') unfilled['SERVER_PORT'] = variables.serverPort
  if (unfilled['SERVER_PROTOCOL'] === '') unfilled['SERVER_PROTOCOL'] = variables.protocol
  // Every key of an Environ has its value now.
  return unfilled as unknown as Environ
}

function put(environ: Unfilled, key: PropertyKey, value: unknown): void {
  environ[key] = value
}
