/** What a connection begins with, on a socket of several protocols: kept until it tells which one is spoken. */

import type { TsgiError } from '../errors.ts'
import type { Protocol } from '../protocol/codec.ts'
import { detect, refusalBytes, wrongProtocol } from '../protocol/detect.ts'

export type Verdict =
  | { readonly kind: 'gateway'; readonly protocol: Protocol; readonly bytes: Uint8Array }
  | { readonly kind: 'http'; readonly bytes: Uint8Array }
  | { readonly kind: 'wrong'; readonly error: TsgiError; readonly answer: Uint8Array | undefined }

export class FirstBytes {
  readonly #expected: readonly Protocol[]
  readonly #http: boolean
  #held: Uint8Array | undefined

  constructor(expected: readonly Protocol[], http: boolean) {
    this.#expected = expected
    this.#http = http
  }

  /** @returns undefined when more bytes are needed; those that came are kept */
  read(bytes: Uint8Array): Verdict | undefined {
    const all = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes])
    const detected = detect(all)
    if (detected === undefined) {
      this.#held = copyOf(all)
      return undefined
    }
    this.#held = undefined
    const protocol = this.#expected.find(({ name }) => name === detected)
    if (protocol !== undefined) return { kind: 'gateway', protocol, bytes: all }
    // node:http reads them later, when the transport's memory is somebody else's.
    if (detected === 'http' && this.#http) return { kind: 'http', bytes: copyOf(all) }
    return { kind: 'wrong', error: wrongProtocol(detected, this.#names), answer: refusalBytes(detected, all) }
  }

  /** Some came, and more were expected. */
  get pending(): boolean {
    return this.#held !== undefined
  }

  get #names(): readonly string[] {
    const names: string[] = this.#expected.map(({ name }) => name)
    return this.#http ? [...names, 'http'] : names
  }
}

/** Not `slice`: of a Buffer that is a view of the same memory. */
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

/** What a decoder could not read may be another protocol's; undefined where it is not. */
export function mistaken(bytes: Uint8Array, spoken: Protocol): Verdict | undefined {
  const detected = detect(bytes)
  if (detected === undefined || detected === 'unknown' || detected === spoken.name) return undefined
  return { kind: 'wrong', error: wrongProtocol(detected, [spoken.name]), answer: refusalBytes(detected, bytes) }
}
