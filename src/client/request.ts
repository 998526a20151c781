/** A request to send to a gateway socket, and the response that comes back: what all three protocols have in common. */

import type { Params } from '../protocol/codec.ts'

export interface GatewayRequest {
  /** name, value, name, value, ... sent in this order. CONTENT_LENGTH is added where it is missing. */
  readonly params: Params
  readonly body?: Uint8Array
}

/** What of a response has arrived, in order: head, body, end; errors anywhere before the end. */
export type ResponseEvent =
  | { readonly kind: 'head'; readonly head: ResponseHead }
  | { readonly kind: 'body'; readonly chunk: Uint8Array }
  /** Text for the front server's error log (FCGI_STDERR). */
  | { readonly kind: 'errors'; readonly text: string }
  /** `problem`: why the response cannot be taken for complete; undefined: it ended as it should. */
  | { readonly kind: 'end'; readonly problem: string | undefined }

export interface ResponseHead {
  readonly status: number
  readonly reason: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Fed with what the connection gives; makes exactly one `end` event. Chunks are views of the bytes fed. */
export interface ResponseParser {
  feed(bytes: Uint8Array): readonly ResponseEvent[]
  /** The peer closed the connection in order. After a reset it is not called: such a response has no end. */
  close(): readonly ResponseEvent[]
}

export interface GatewayResponse extends ResponseHead {
  readonly body: Buffer
  readonly errors: string
  readonly endedCleanly: boolean
  readonly problem: string | undefined
}

/** All events of one response as one value. @throws Error where no head ever came */
export function collectResponse(events: Iterable<ResponseEvent>): GatewayResponse {
  let head: ResponseHead | undefined
  let errors = ''
  let problem: string | undefined = 'the connection broke off'
  const chunks: Uint8Array[] = []
  for (const event of events) {
    if (event.kind === 'head') head = event.head
    else if (event.kind === 'body') chunks.push(event.chunk)
    else if (event.kind === 'errors') errors += event.text
    else problem = event.problem
  }
  if (head === undefined) throw new Error(`no response: ${problem ?? 'it ended before its head'}`)
  return { ...head, body: Buffer.concat(chunks), errors, endedCleanly: problem === undefined, problem }
}

/** The params with CONTENT_LENGTH in front, unless they have it. */
export function withContentLength({ params, body }: GatewayRequest): Params {
  const present = params.some((name, index) => index % 2 === 0 && name === 'CONTENT_LENGTH')
  return present ? params : ['CONTENT_LENGTH', String(body?.length ?? 0), ...params]
}
