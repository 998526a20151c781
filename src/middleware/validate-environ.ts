/** What a server, or a middleware above, owes to an application: PEP 3333, "environ Variables". */

import { describe } from '../errors.ts'
import { isBytes } from '../gateway/chunk.ts'
import { LENGTH, TOKEN } from '../gateway/grammar.ts'

const BYTE_STRING = /^[\x00-\xff]*$/

const REQUIRED = [
  'REQUEST_METHOD',
  'SCRIPT_NAME',
  'PATH_INFO',
  'QUERY_STRING',
  'SERVER_NAME',
  'SERVER_PORT',
  'SERVER_PROTOCOL',
]
const NOT_EMPTY = ['REQUEST_METHOD', 'SERVER_NAME', 'SERVER_PORT', 'SERVER_PROTOCOL', 'CONTENT_TYPE', 'CONTENT_LENGTH']
/** CONTENT_TYPE and CONTENT_LENGTH are the bare forms; `Proxy:` would become HTTP_PROXY, which programs take for a setting. */
const FORBIDDEN = ['HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH', 'HTTP_PROXY']

type Check = (value: unknown) => boolean

const isBoolean: Check = (value) => typeof value === 'boolean'
const isFunction: Check = (value) => typeof value === 'function'
const hasMethods =
  (...names: readonly PropertyKey[]): Check =>
  (value) =>
    typeof value === 'object' && value !== null && names.every((name) => isFunction(Reflect.get(value, name)))

/** Each `tsgi.` key: what it must be, in words and as a check; those marked optional may be absent. */
const KEYS: Readonly<Record<string, { readonly want: string; readonly check: Check; readonly optional?: true }>> = {
  'tsgi.version': {
    want: '[1, 0]',
    check: (value) => Array.isArray(value) && value.length === 2 && value[0] === 1 && Number.isInteger(value[1]),
  },
  'tsgi.url_scheme': { want: "'http' or 'https'", check: (value) => value === 'http' || value === 'https' },
  'tsgi.input': {
    want: 'a stream with read, readline, readlines and async iteration',
    check: hasMethods('read', 'readline', 'readlines', Symbol.asyncIterator),
  },
  'tsgi.input_terminated': { want: 'true', check: (value) => value === true },
  'tsgi.errors': {
    want: 'a stream with write, writelines and flush',
    check: hasMethods('write', 'writelines', 'flush'),
  },
  'tsgi.multithread': { want: 'a boolean', check: isBoolean },
  'tsgi.multiprocess': { want: 'a boolean', check: isBoolean },
  'tsgi.run_once': { want: 'a boolean', check: isBoolean },
  'tsgi.concurrent': { want: 'a boolean', check: isBoolean },
  'tsgi.signal': { want: 'an AbortSignal', check: hasMethods('addEventListener', 'throwIfAborted') },
  'tsgi.after': { want: 'a function', check: isFunction },
  'tsgi.file_wrapper': { want: 'a function', check: isFunction, optional: true },
  'tsgi.state': { want: 'an object', check: (value) => typeof value === 'object' && value !== null, optional: true },
  'tsgi.early_hints': { want: 'a function', check: isFunction, optional: true },
  'tsgi.upgrade': { want: 'a function', check: isFunction, optional: true },
}

/** Keys below `tsgi.` that the middleware of tsgi sets. */
const MIDDLEWARE_KEYS = ['tsgi.request_id', 'tsgi.proxy_fix.orig']

/** @returns what is wrong, a sentence each; empty for a sound environ */
export function checkEnviron(environ: unknown): string[] {
  if (typeof environ !== 'object' || environ === null) return [`environ is ${describe(environ)}, not an object`]
  // Checked above; what its keys hold is what is looked at.
  const variables = environ as Readonly<Record<string, unknown>>
  return [
    ...checkObject(environ),
    ...checkVariables(variables),
    ...checkPaths(variables),
    ...checkGatewayKeys(variables),
  ]
}

function checkObject(environ: object): string[] {
  const found: string[] = []
  if (Array.isArray(environ) || environ instanceof Map)
    found.push(`environ is ${describe(environ)}, not a plain object`)
  if (!Object.isExtensible(environ)) found.push('environ is frozen, sealed or not extensible: applications add to it')
  for (let proto: unknown = Object.getPrototypeOf(environ); typeof proto === 'object' && proto !== null; ) {
    const inherited = Object.keys(proto)
    if (inherited.length > 0)
      found.push(`environ inherits ${inherited.slice(0, 3).join(', ')}: its keys must be its own`)
    proto = Object.getPrototypeOf(proto)
  }
  return found
}

function checkVariables(variables: Readonly<Record<string, unknown>>): string[] {
  const found: string[] = []
  for (const name of REQUIRED) if (!Object.hasOwn(variables, name)) found.push(`${name} is missing`)
  for (const name of NOT_EMPTY) if (variables[name] === '') found.push(`${name} is empty`)
  for (const name of FORBIDDEN) if (Object.hasOwn(variables, name)) found.push(`${name} must not be there`)
  for (const [name, value] of Object.entries(variables)) {
    if (name.includes('.')) continue
    if (typeof value !== 'string') found.push(`${name} is ${isBytes(value) ? 'bytes' : describe(value)}, not a string`)
    else if (!BYTE_STRING.test(value)) found.push(`${name} has a character beyond U+00FF: it is text, not bytes`)
  }
  const { REQUEST_METHOD: method, CONTENT_LENGTH: length } = variables
  if (typeof method === 'string' && method !== '' && !TOKEN.test(method))
    found.push(`REQUEST_METHOD ${describe(method)} is no token`)
  if (typeof length === 'string' && length !== '' && !LENGTH.test(length))
    found.push(`CONTENT_LENGTH ${describe(length)} is no number`)
  return found
}

function checkPaths({ SCRIPT_NAME: script, PATH_INFO: path }: Readonly<Record<string, unknown>>): string[] {
  if (typeof script !== 'string' || typeof path !== 'string') return []
  const found: string[] = []
  if (script !== '' && !script.startsWith('/'))
    found.push(`SCRIPT_NAME ${describe(script)} does not start with a slash`)
  if (script.endsWith('/')) found.push(`SCRIPT_NAME ${describe(script)} ends with a slash`)
  if (path !== '' && path !== '*' && !path.startsWith('/'))
    found.push(`PATH_INFO ${describe(path)} does not start with a slash`)
  if (path === '' && script === '') found.push('PATH_INFO is empty and so is SCRIPT_NAME')
  return found
}

function checkGatewayKeys(variables: Readonly<Record<string, unknown>>): string[] {
  const found: string[] = []
  for (const [name, { want, check, optional }] of Object.entries(KEYS)) {
    if (!Object.hasOwn(variables, name)) {
      if (optional !== true) found.push(`${name} is missing`)
    } else if (!check(variables[name])) found.push(`${name} is ${describe(variables[name])}, not ${want}`)
  }
  for (const name of Object.keys(variables)) {
    if (name.startsWith('tsgi.') && !Object.hasOwn(KEYS, name) && !MIDDLEWARE_KEYS.includes(name)) {
      found.push(`${name} is no key of the interface; names of one's own have a prefix of one's own`)
    }
  }
  return found
}
