/**
 * The variables of a request as the front server sent them, checked in one pass (PEP 3333, "environ Variables"; RFC 3875
 * section 4.1). What is dropped, merged, refused and derived, and why.
 */

import type { ByteString } from '../application.ts'
import { describe, TsgiError } from '../errors.ts'
import type { Params } from '../protocol/codec.ts'
import { LENGTH, TOKEN } from './grammar.ts'
import { applyMount, resolvePath } from './path.ts'
import { isObsolete, type RequestVariables } from './request-source.ts'
import { originForm, rebuiltTarget } from './text.ts'
import {
  type HeaderName,
  isAbsent,
  SLOTS,
  slotOf,
  type VariableName,
  variableName,
  variableNameAt,
} from './variable-names.ts'

/** What the operator says about the variables of every request. */
export interface VariableSettings {
  /** `--environ NAME=VALUE`, see `deployedVariables`: weaker than what the front server sends. */
  readonly variables: readonly (readonly [name: string, value: string])[]
  /** Mount prefixes, longest first, each `/x` without a slash at its end. */
  readonly mounts: readonly string[]
}

const HTTPS_ON = /^(?:on|1|yes|true)$/i
const CHUNKED = /\bchunked\b/i
/** No front server of sound mind passes these inside a header; a NUL ends strings elsewhere. */
const BROKEN_VALUE = /[\0\r\n]/
/**
 * RFC 9112 section 3.2: 400. In a URL each of these would end the host, or begin another one: with `Host: a\admin?`, which nginx lets
 * pass, an application that goes by the URL of the request would be asked for /admin, whatever path the front server had looked at.
 */
const BROKEN_HOST = /[\0-\x20\x7f/\\?#@]/
const EMPTY_SLOTS: readonly (ByteString | undefined)[] = Object.keys(SLOTS).map(() => undefined)

const badRequest = (message: string): TsgiError => new TsgiError('TSGI_PROTOCOL_BAD_REQUEST', message)

/**
 * What an operator deploys as part of every environ: of each name the last, none that is not passed on.
 * @throws TsgiError TSGI_USAGE for a value that would be refused in every request
 */
export function deployedVariables(
  pairs: Iterable<readonly [name: string, value: string]>,
): VariableSettings['variables'] {
  const last = new Map<string, string>()
  for (const [name, value] of pairs) {
    const { role } = variableName(name)
    if (role === 'ignored' || role === 'dropped') continue
    if (BROKEN_VALUE.test(value) && role !== 'plain') {
      throw new TsgiError('TSGI_USAGE', `--environ ${name}: its value has a line break or a NUL`)
    }
    if (role === 'host' && BROKEN_HOST.test(value)) {
      throw new TsgiError('TSGI_USAGE', `--environ ${name}: ${describe(value)} is no host`)
    }
    last.set(name, value)
  }
  return [...last]
}

/** @returns the variables, or the reason why this request is answered 400 without the application being called */
export function readVariables(params: Params, settings: VariableSettings): SentVariables | TsgiError {
  const list = settings.variables.length === 0 ? params : withDeployed(params, settings.variables)
  let variables = new SentVariables(list)
  let refusal = variables.collect()
  if (refusal === undefined && !variables.isTidy) {
    variables = new SentVariables(tidied(list))
    refusal = variables.collect()
  }
  return refusal ?? variables.derive(settings.mounts) ?? variables
}

/** The method of a request that was refused before its variables were read. */
export function methodOf(params: Params): string {
  for (let index = 0; index < params.length; index += 2) {
    if (params[index] === 'REQUEST_METHOD') return params[index + 1] ?? ''
  }
  return ''
}

export class SentVariables implements RequestVariables {
  /** Names and values in turns. */
  readonly list: Params
  /** No name of a header stands there twice, and none that an environ would not have. */
  isTidy = true
  scriptName: ByteString = ''
  pathInfo: ByteString = ''
  serverName = ''
  serverPort = ''
  protocol = ''
  scheme: 'http' | 'https' = 'http'
  contentLength: string | undefined = undefined
  readonly #slots = EMPTY_SLOTS.slice()
  /** Names that are not remembered. */
  #strangers: Set<string> | undefined = undefined

  constructor(list: Params) {
    this.list = list
  }

  get method(): string {
    return this.#slots[SLOTS.REQUEST_METHOD] ?? ''
  }

  get target(): ByteString {
    const slots = this.#slots
    return (
      originForm(slots[SLOTS.REQUEST_URI]) ||
      rebuiltTarget(this.scriptName + this.pathInfo, slots[SLOTS.QUERY_STRING] ?? '')
    )
  }

  get transferEncoding(): ByteString | undefined {
    return this.#slots[SLOTS.HTTP_TRANSFER_ENCODING]
  }

  get host(): ByteString | undefined {
    return this.#slots[SLOTS.HTTP_HOST]
  }

  get connection(): ByteString | undefined {
    return this.#slots[SLOTS.HTTP_CONNECTION]
  }

  get upgrade(): ByteString | undefined {
    return this.#slots[SLOTS.HTTP_UPGRADE]
  }

  get expect(): ByteString | undefined {
    return this.#slots[SLOTS.HTTP_EXPECT]
  }

  get(name: string): ByteString | undefined {
    const slot = slotOf(name)
    switch (slot) {
      case -1:
        return name === 'tsgi.url_scheme' ? this.scheme : this.#find(name)
      case SLOTS.QUERY_STRING:
        return this.#slots[SLOTS.QUERY_STRING] ?? ''
      case SLOTS.SCRIPT_NAME:
        return this.scriptName
      case SLOTS.PATH_INFO:
        return this.pathInfo
      case SLOTS.SERVER_NAME:
        return this.serverName
      case SLOTS.SERVER_PORT:
        return this.serverPort
      case SLOTS.SERVER_PROTOCOL:
        return this.protocol
      case SLOTS.CONTENT_LENGTH:
        return this.contentLength
      case SLOTS.CONTENT_TYPE:
        return this.#slots[SLOTS.CONTENT_TYPE] || undefined
      default:
        return this.#slots[slot]
    }
  }

  eachHeader(visit: (name: HeaderName, value: ByteString) => void): void {
    const { list, contentLength } = this
    for (let index = 0; index < list.length; index += 2) {
      const { header, text } = variableNameAt(index >> 1, list[index] ?? '')
      if (header === null) continue
      const value = list[index + 1] ?? ''
      if (!isObsolete(header, value, contentLength) && !isAbsent(text, value)) visit(header, value)
    }
  }

  /** What is wrong with a value in itself; what is asked for by name is put into its slot. */
  collect(): TsgiError | undefined {
    const { list } = this
    const number = nextNumber()
    for (let index = 0; index < list.length; index += 2) {
      const name = variableNameAt(index >> 1, list[index] ?? '')
      const value = list[index + 1] ?? ''
      switch (name.role) {
        case 'plain':
          break
        case 'ignored':
          this.isTidy = false
          continue
        case 'path':
          if (value.includes('\0')) return hasNul(name)
          break
        case 'type':
          if (value.includes('\0')) return hasNul(name)
          this.#meet(name, number)
          break
        case 'length':
          this.#meet(name, number)
          break
        case 'dropped':
          if (BROKEN_VALUE.test(value)) return isBroken(name)
          this.isTidy = false
          continue
        case 'header':
          if (BROKEN_VALUE.test(value)) return isBroken(name)
          this.#meet(name, number)
          break
        case 'host':
          if (BROKEN_HOST.test(value)) return badRequest('the Host header is no host')
          this.#meet(name, number)
          if (this.host && this.host !== value) return badRequest('two Host headers that differ')
      }
      if (name.slot >= 0) this.#slots[name.slot] = value
    }
    return undefined
  }

  /** What follows from all of them together. */
  derive(mounts: readonly string[]): TsgiError | undefined {
    const slots = this.#slots
    const { method } = this
    if (method === '') return badRequest('REQUEST_METHOD is missing: does the front server include its *_params file?')
    if (method !== 'GET' && !TOKEN.test(method)) return badRequest('REQUEST_METHOD is no token')
    const length = slots[SLOTS.CONTENT_LENGTH]
    if (length !== undefined && length !== '') {
      if (!LENGTH.test(length)) return badRequest('CONTENT_LENGTH is no number')
      this.contentLength = length
    } else if (slots[SLOTS.UWSGI_ROUTER] !== undefined && CHUNKED.test(this.transferEncoding ?? '')) {
      // Without --http-chunked-input it drops the body; an application would take it for an empty one.
      return new TsgiError('TSGI_PROTOCOL_LENGTH_REQUIRED', "uWSGI's router does not pass chunked bodies on")
    }
    const uri = slots[SLOTS.REQUEST_URI] ?? ''
    const path = resolvePath({
      scriptName: slots[SLOTS.SCRIPT_NAME] ?? '',
      pathInfo: slots[SLOTS.PATH_INFO],
      uri,
      documentUri: slots[SLOTS.DOCUMENT_URI] ?? '',
    })
    // RFC 9110 section 9.3.7: the server as a whole, which nothing but OPTIONS can be about.
    if (path === undefined || (path.pathInfo === '*' && method !== 'OPTIONS')) {
      return badRequest('the path neither starts with a slash nor is the * of OPTIONS, or has a NUL')
    }
    // RFC 9112 section 3.2 knows none. Node and Caddy leave it in the path, of which a router makes another one without it.
    if (uri.includes('#') && (path.scriptName + path.pathInfo).includes('#')) {
      return badRequest('the request target has a fragment')
    }
    const { scriptName, pathInfo } = applyMount(path, mounts)
    this.scriptName = scriptName
    this.pathInfo = pathInfo
    this.scheme = this.#isSecure() ? 'https' : 'http'
    this.serverName = slots[SLOTS.SERVER_NAME] || 'localhost'
    this.serverPort = slots[SLOTS.SERVER_PORT] || (this.scheme === 'https' ? '443' : '80')
    this.protocol = slots[SLOTS.SERVER_PROTOCOL] || 'HTTP/1.1'
    return undefined
  }

  /** The front server's word counts; X-Forwarded-Proto is the client's and never does. */
  #isSecure(): boolean {
    const slots = this.#slots
    const https = slots[SLOTS.HTTPS]
    if (https !== undefined && HTTPS_ON.test(https)) return true
    return (slots[SLOTS.REQUEST_SCHEME] ?? slots[SLOTS.UWSGI_SCHEME]) === 'https'
  }

  /** Another list is made where a name is met for the second time. */
  #meet(name: VariableName, number: number): void {
    if (name.isShared) {
      if (name.metIn === number) this.isTidy = false
      name.metIn = number
      return
    }
    this.#strangers ??= new Set()
    if (this.#strangers.has(name.text)) this.isTidy = false
    this.#strangers.add(name.text)
  }

  /** The last one counts, as it does where an object is filled. */
  #find(name: string): ByteString | undefined {
    const { list } = this
    for (let index = list.length - 2; index >= 0; index -= 2) if (list[index] === name) return list[index + 1]
    return undefined
  }
}

/** A small integer, also after months: V8 has no room for others in an object. */
const MAX_NUMBER = 2 ** 30 - 1
let lastNumber = 0
/** A number comes back after a thousand million requests; a list that is then taken for untidy is tidied without any effect. */
const nextNumber = (): number => {
  lastNumber = lastNumber === MAX_NUMBER ? 1 : lastNumber + 1
  return lastNumber
}

const hasNul = ({ text }: VariableName): TsgiError => badRequest(`the value of ${text} has a NUL`)
const isBroken = ({ text }: VariableName): TsgiError => badRequest(`the value of ${text} has a line break or a NUL`)

function withDeployed(params: Params, deployed: VariableSettings['variables']): Params {
  const sent = new Set<string>()
  for (let index = 0; index < params.length; index += 2) sent.add(params[index] ?? '')
  return [...deployed.filter(([name]) => !sent.has(name)).flat(), ...params]
}

/** Each name once: headers merged (RFC 9110 section 5.3, cookies as RFC 6265 section 5.4 writes them), of others the last. */
function tidied(params: Params): Params {
  const values = new Map<string, string>()
  for (let index = 0; index < params.length; index += 2) {
    const name = params[index] ?? ''
    const value = params[index + 1] ?? ''
    const { role } = variableName(name)
    if (role === 'ignored' || role === 'dropped') continue
    const before = role === 'header' ? values.get(name) : undefined
    if (before === undefined || before === '') values.set(name, value)
    else values.set(name, `${before}${name === 'HTTP_COOKIE' ? '; ' : ', '}${value}`)
  }
  return [...values].flat()
}
