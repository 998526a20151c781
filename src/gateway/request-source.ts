/** What the gateway has of a request before there is an environ, for adapters of other interfaces. */

import type { Application, Body, ByteString, Environ, InputStream, Outcome, StartResponse } from '../application.ts'
import type { HeaderName } from './variable-names.ts'

/** The variables of a request as an environ would show them. */
export interface RequestVariables {
  readonly method: string
  /** The request target: REQUEST_URI as the client sent it, before the front server's rewrites; rebuilt where it is absent. */
  readonly target: ByteString
  readonly protocol: string
  readonly scheme: 'http' | 'https'
  readonly contentLength: string | undefined
  readonly transferEncoding: ByteString | undefined
  readonly host: ByteString | undefined
  readonly connection: ByteString | undefined
  readonly upgrade: ByteString | undefined
  readonly expect: ByteString | undefined
  /** The value of any other; undefined where an environ has none. */
  get(name: string): ByteString | undefined
  /** In the order in which they were sent, without those that the framing made obsolete. */
  eachHeader(visit: (name: HeaderName, value: ByteString) => void): void
}

/**
 * A request that is to be answered: by an Exchange, or by the environ that middleware passes on. Of an Exchange, `variables` follow
 * what is changed in the environ once there is one; input, signal, callbacks and hints are its own, whatever an environ holds.
 */
export interface RequestSource {
  readonly variables: RequestVariables
  /** Built when it is first asked for. */
  readonly environ: Environ
  readonly input: InputStream
  /** Made when it is first asked for. */
  signal(): AbortSignal
  /** As `tsgi.after`. */
  after(callback: (outcome: Outcome) => unknown): void
  /** As `tsgi.early_hints`. */
  readonly earlyHints: Environ['tsgi.early_hints']
}

/** What answers requests. Building an environ takes a tenth of the time of a small one (Node 20): who needs none asks for none. */
export type Handler = (source: RequestSource, startResponse: StartResponse) => Body | PromiseLike<Body>

export function applicationHandler(application: Application): Handler {
  return (source, startResponse) => application(source.environ, startResponse)
}

/** Whether a body can follow: otherwise nothing needs to be awaited to know that there is none. */
export function mayHaveBody({ method, contentLength, transferEncoding }: RequestVariables): boolean {
  if (contentLength !== undefined) return contentLength !== '0'
  if (transferEncoding !== undefined) return true
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
}

/**
 * nginx sends a chunked request on with its length and still names the coding that it has removed. And who sent `100-continue` has
 * been told to go on, or will be by the HTTP listener: passed on in another request, it would be asked for once more, and `fetch`
 * refuses it.
 */
export function isObsolete(header: HeaderName, value: ByteString, contentLength: string | undefined): boolean {
  if (header.lower === 'expect') return CONTINUE.test(value)
  return contentLength !== undefined && header.lower === 'transfer-encoding'
}

const CONTINUE = /^100-continue$/i
