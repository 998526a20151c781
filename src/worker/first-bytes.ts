/**
 * What a connection begins with: a PROXY protocol header where one is announced, then, on a socket of several protocols, the
 * bytes that tell which one is spoken. Kept until they have told.
 */

import { asError } from '../errors.ts'
import type { Protocol } from '../protocol/codec.ts'
import { type Detected, detect, detectBegun } from '../protocol/detect.ts'
import { type Endpoint, parseProxyHeader } from '../protocol/proxy-header.ts'
import { refusalBytes, wrongProtocol } from '../protocol/wrong-protocol.ts'

export type Verdict =
  | { readonly kind: 'gateway'; readonly protocol: Protocol; readonly bytes: Uint8Array }
  /** `bytes` are a copy: node:http reads them when the transport's memory is somebody else's. */
  | { readonly kind: 'http'; readonly bytes: Uint8Array; readonly source: Endpoint | undefined }
  | Wrong

/** A PROXY protocol header was read already. */
export interface Proxied {
  readonly source: Endpoint | undefined
}

interface Wrong {
  readonly kind: 'wrong'
  readonly error: Error
  /** In the protocol that the peer speaks, where it has an answer for that. */
  readonly answer: Uint8Array | undefined
}

export class FirstBytes {
  readonly #expected: readonly Protocol[]
  readonly #http: boolean
  #awaitsProxyHeader: boolean
  #source: Endpoint | undefined
  #held: Uint8Array | undefined

  /**
   * @param headed a PROXY protocol header comes first
   * @param source what it said, where it was read already
   */
  constructor(expected: readonly Protocol[], http: boolean, headed: boolean, source: Endpoint | undefined) {
    this.#expected = expected
    this.#http = http
    this.#awaitsProxyHeader = headed
    this.#source = source
  }

  /** @returns undefined when more bytes are needed; those that came are kept */
  read(bytes: Uint8Array): Verdict | undefined {
    const all = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes])
    this.#held = undefined
    if (!this.#awaitsProxyHeader) return this.#tell(all)
    try {
      const header = parseProxyHeader(all)
      if (header === undefined) return this.#hold(all)
      this.#awaitsProxyHeader = false
      this.#source = header.source
      return this.#tell(all.subarray(header.length))
    } catch (error) {
      return { kind: 'wrong', error: asError(error), answer: undefined }
    }
  }

  /** Some came, and more were expected. A whole PROXY header and nothing else is how balancers look whether somebody is there. */
  get pending(): boolean {
    return this.#held !== undefined && this.#held.length > 0
  }

  #tell(bytes: Uint8Array): Verdict | undefined {
    const only = this.#expected.length === 1 && !this.#http ? this.#expected[0] : undefined
    // Its decoder says best what is wrong with what comes.
    if (only !== undefined) return { kind: 'gateway', protocol: only, bytes }
    const detected = detect(bytes)
    if (detected === undefined) return this.#hold(bytes)
    const protocol = this.#expected.find(({ name }) => name === detected)
    if (protocol !== undefined) return { kind: 'gateway', protocol, bytes }
    if (detected === 'http' && this.#http) return { kind: 'http', bytes: copied(bytes), source: this.#source }
    return wrong(detected, this.#names, bytes)
  }

  #hold(bytes: Uint8Array): undefined {
    this.#held = copied(bytes)
  }

  get #names(): readonly string[] {
    const names: string[] = this.#expected.map(({ name }) => name)
    return this.#http ? [...names, 'http'] : names
  }
}

/** Not slice: of a Buffer that is a view, and the transport reads other connections into the same memory. */
const copied = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

/**
 * What a decoder could not read may be another protocol's; undefined where it is not.
 * @param begun what came before `rest`, from `beginning`
 */
export function mistaken(begun: Uint8Array | undefined, rest: Uint8Array, spoken: Protocol): Wrong | undefined {
  const bytes = begun === undefined ? rest : Buffer.concat([begun, rest])
  const detected = detectBegun(bytes)
  if (detected === undefined || detected === 'unknown' || detected === spoken.name) return undefined
  return wrong(detected, [spoken.name], bytes)
}

/** As many as `detect` looks at. */
const TELLING_BYTES = 16

/** The first bytes of a connection, for `mistaken`. @param before what came earlier of them */
export function beginning(before: Uint8Array | undefined, bytes: Uint8Array): Uint8Array {
  const held = before ?? new Uint8Array(0)
  return held.length >= TELLING_BYTES ? held : Buffer.concat([held, bytes.subarray(0, TELLING_BYTES - held.length)])
}

const wrong = (detected: Detected, expected: readonly string[], bytes: Uint8Array): Wrong => ({
  kind: 'wrong',
  error: wrongProtocol(detected, expected),
  answer: refusalBytes(detected, bytes),
})
