/** One request to a socket, and what comes back, as it comes. */

import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { CLIENTS } from './clients.ts'
import { type FrontRequest, frontHeaders, frontParams } from './front-request.ts'
import type { ResponseEvent } from './request.ts'

export type Place =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

export type ClientProtocol = keyof typeof CLIENTS | 'http'

export interface Exchange {
  readonly place: Place
  readonly protocol: ClientProtocol
  readonly request: FrontRequest
  /** Ends the exchange where it stands; the iteration throws its reason. */
  readonly signal: AbortSignal
}

/**
 * Head, body, end; a response that breaks off has an `end` with its problem or, where the connection failed, none.
 * @throws the error of the socket, or the reason of the signal
 */
export function exchange(parts: Exchange): AsyncIterable<ResponseEvent> {
  return parts.protocol === 'http' ? overHttp(parts) : overGateway(parts, parts.protocol)
}

async function* overGateway(
  { place, request, signal }: Exchange,
  protocol: keyof typeof CLIENTS,
): AsyncGenerator<ResponseEvent> {
  const client = CLIENTS[protocol]
  const params = frontParams(request)
  const pieces = client.encodeRequest(request.body === undefined ? { params } : { params, body: request.body })
  const parser = client.createResponseParser(request.method === 'HEAD')
  const socket = connect(place.kind === 'unix' ? { path: place.path } : { host: place.host, port: place.port })
  const stop = () => socket.destroy(reasonOf(signal))
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    await once(socket, 'connect')
    // At once, as front servers do: an answer to the first piece must not find us still sending the others.
    socket.cork()
    for (const piece of pieces) socket.write(piece)
    socket.uncork()
    for await (const chunk of socket) {
      for (const event of parser.feed(chunk)) {
        yield event
        if (event.kind === 'end') return
      }
    }
    yield* parser.close()
  } finally {
    signal.removeEventListener('abort', stop)
    socket.destroy()
  }
}

/** `AbortSignal.timeout` gives an Error, and so does everybody here. */
function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted')
}

async function* overHttp({ place, request, signal }: Exchange): AsyncGenerator<ResponseEvent> {
  const { method, body, target } = request
  const where = place.kind === 'unix' ? { socketPath: place.path } : { host: place.host, port: place.port }
  const headers = frontHeaders(request)
  const hasLength = headers.some(([name]) => name.toLowerCase() === 'content-length')
  if (body !== undefined && !hasLength) headers.push(['Content-Length', String(body.length)])
  const outgoing = httpRequest({
    ...where,
    method,
    path: target.requestUri,
    // A flat list goes out as it is; UTF-8 that is not Latin-1 has to be bytes by then.
    headers: [...headers, ['Connection', 'close']].flatMap(([name = '', value = '']) => [name, latin1(value)]),
    setHost: false,
    agent: false,
    signal,
  })
  outgoing.end(body)
  const [response]: IncomingMessage[] = await once(outgoing, 'response')
  if (response === undefined) throw new Error('node:http gave no response')
  const fields = response.rawHeaders
  yield {
    kind: 'head',
    head: {
      status: response.statusCode ?? 0,
      reason: response.statusMessage ?? '',
      headers: fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1] ?? ''] as const] : [])),
    },
  }
  for await (const chunk of response) yield { kind: 'body', chunk }
  yield { kind: 'end', problem: undefined }
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
