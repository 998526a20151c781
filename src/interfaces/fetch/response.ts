/** A Response to startResponse and a body: whole where it is whole, else chunk by chunk with backpressure. */

import { Buffer } from 'node:buffer'
import type { Body, HeaderList, StartResponse, Status, Write } from '../../application.ts'
import { asError, describe } from '../../errors.ts'
import { withoutHopByHop } from '../../gateway/hop-by-hop.ts'
import type { RequestSource } from '../../gateway/request-source.ts'
import { statusLine } from '../status-line.ts'
import { LazyResponse, type PlainResponse } from './lazy-response.ts'
import { rememberNative } from './native.ts'

const { Response: NativeResponse } = rememberNative()

const NOTHING: readonly Uint8Array[] = []

/** @throws TypeError when the handler gave something else than a Response */
export function sendResponse(
  response: unknown,
  source: RequestSource,
  startResponse: StartResponse,
): Body | PromiseLike<Body> {
  if (!isResponse(response)) {
    throw new TypeError(`the fetch handler must return a Response, not ${describe(response)}`)
  }
  const plain: PlainResponse = LazyResponse.plain(response) ?? {
    status: response.status,
    statusText: response.statusText,
    headers: isDecoded(response)
      ? [...response.headers].filter(([name]) => !OF_CODING.has(name))
      : [...response.headers],
    body: response.body,
  }
  const { body } = plain
  const headers = withoutHopByHop(plain.headers)
  const status = statusLine(plain.status, plain.statusText)
  if (body === null || typeof body === 'string' || body instanceof Uint8Array) {
    startResponse(status, headers)
    if (body === null) return NOTHING
    return [typeof body === 'string' ? Buffer.from(body) : body]
  }
  return sendStream(body, status, headers, source, startResponse)
}

/** What Node's fetch undoes; Zstandard since undici 7.11 (nodejs/undici#4238). */
const UNDONE = undoesZstd(process.versions['undici'])
  ? /^(?:\s*(?:gzip|x-gzip|deflate|br|zstd)\s*(?:,|$))+$/i
  : /^(?:\s*(?:gzip|x-gzip|deflate|br)\s*(?:,|$))+$/i
const OF_CODING = new Set(['content-encoding', 'content-length'])

function undoesZstd(undici = '0'): boolean {
  const [major = 0, minor = 0] = undici.split('.').map(Number)
  return major > 7 || (major === 7 && minor >= 11)
}

/**
 * What `fetch` gave has the decoded body below the headers of the encoded one (Fetch standard, "handle content codings"): sent on
 * as it is, a client would decode it a second time.
 */
function isDecoded(response: Response): boolean {
  return Boolean(response.url) && response.body !== null && UNDONE.test(response.headers.get('content-encoding') ?? '')
}

/** Libraries bring Response classes of their own (`@whatwg-node/fetch` below GraphQL Yoga): what has the members is one. */
function isResponse(value: unknown): value is Response {
  if (value instanceof NativeResponse) return true
  if (typeof value !== 'object' || value === null) return false
  if (!('status' in value && 'statusText' in value && 'headers' in value && 'body' in value)) return false
  const { status, statusText, headers, body } = value
  const hasHeaders = typeof headers === 'object' && headers !== null && Symbol.iterator in headers
  // Got, not looked for with `in`: the stream may be a Proxy.
  const hasBody = body === null || (typeof body === 'object' && typeof Reflect.get(body, 'getReader') === 'function')
  return typeof status === 'number' && typeof statusText === 'string' && hasHeaders && hasBody
}

async function sendStream(
  stream: ReadableStream<Uint8Array>,
  status: Status,
  headers: HeaderList,
  source: RequestSource,
  startResponse: StartResponse,
): Promise<Body> {
  let write: Write
  try {
    write = startResponse(status, headers)
  } catch (error) {
    const signal = source.signal()
    // The client left before the handler returned, or a header is refused: that counts, not an error of the stream's.
    cancel(stream, signal.aborted ? signal.reason : error).catch(() => undefined)
    throw error
  }
  if (source.variables.method === 'HEAD') {
    // Not waited for: one branch of a tee (`response.clone()`) settles only with the other.
    cancel(stream, undefined).catch((error: unknown) => {
      const { name, message } = asError(error)
      source.environ['tsgi.errors'].write(`the stream of a Response could not be cancelled: ${name}: ${message}\n`)
    })
    return NOTHING
  }
  const reader = stream.getReader()
  const signal = source.signal()
  const leave = (): void => {
    // The stream's own failure to stop changes nothing for a client that is gone.
    reader.cancel(signal.reason).catch(() => undefined)
  }
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  try {
    return await pump(reader, write, signal)
  } catch (error) {
    reader.cancel(error).catch(() => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Rejects where it throws: the stream may be of a library that has no `cancel`. */
async function cancel(stream: ReadableStream<Uint8Array>, reason: unknown): Promise<void> {
  await stream.cancel(reason)
}

/** A body that ends at once after its first chunk is returned whole, so that it gets a Content-Length. */
async function pump(reader: ReadableStreamDefaultReader<Uint8Array>, write: Write, signal: AbortSignal): Promise<Body> {
  const first = await soon(reader.read())
  if (first.settled === undefined) await write(new Uint8Array(0))
  let result = first.settled ?? (await first.promise)
  if (result.done) return NOTHING
  const second = await soon(reader.read())
  if (first.settled !== undefined && second.settled?.done === true) return [bytesOf(result.value)]
  await write(bytesOf(result.value))
  result = await second.promise
  while (!result.done && !signal.aborted) {
    await write(bytesOf(result.value))
    result = await reader.read()
  }
  return NOTHING
}

interface Soon<Value> {
  readonly promise: Promise<Value>
  readonly settled: Value | undefined
}

/** Whether a promise settles before the event loop turns: what is ready is told from what is being waited for. */
async function soon<Value>(promise: Promise<Value>): Promise<Soon<Value>> {
  let handle: NodeJS.Immediate | undefined
  const turn = new Promise<undefined>((resolve) => {
    handle = setImmediate(resolve, undefined)
  })
  const settled = await Promise.race([promise, turn])
  clearImmediate(handle)
  return { promise, settled }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  throw new TypeError(`the stream of a Response must give Uint8Array, not ${describe(chunk)}`)
}
