/** Wrapping a response body: one pull for each pull, closed exactly once, also when it was never iterated. */

import type { Body } from '../application.ts'
import { closeBody as closeInOrder } from '../gateway/close-body.ts'

const CLOSE_TIMEOUT_MS = 5000

/**
 * The same body with every chunk replaced. An array stays an array, whose length the gateway trusts; a file body becomes an
 * ordinary one. Whoever changes the number of bytes drops Content-Length, ETag and Content-MD5 (`onHead`).
 */
export function mapBody(body: Body, change: (chunk: Uint8Array) => Uint8Array): Body {
  if (Array.isArray(body)) return body.map((chunk: Uint8Array) => change(chunk))
  return wrapBody(body, { chunk: change, end: () => undefined })
}

export interface BodyObserver {
  chunk?(chunk: Uint8Array): void
  /** Once, when the body has ended, been given up, or failed. */
  end?(): void
}

/** The same body, watched. An array, being whole already, is seen at once and stays an array. */
export function tapBody(body: Body, observer: BodyObserver): Body {
  if (Array.isArray(body)) {
    for (const chunk of body) observer.chunk?.(chunk)
    observer.end?.()
    return body
  }
  return wrapBody(body, {
    chunk(chunk) {
      observer.chunk?.(chunk)
      return chunk
    },
    end: () => observer.end?.(),
  })
}

/**
 * Closes a body that will not be iterated any more: what a middleware owes to one that it does not pass on.
 * @param options `iterated`: an iterator was taken, and was returned or has ended
 * @throws the first error of its closing
 */
export async function closeBody(body: Body, { iterated = false }: { readonly iterated?: boolean } = {}): Promise<void> {
  await close(body, iterated)
}

/** Arrays run no code and cannot fail; what is no body at all is the gateway's to refuse. */
export function isLeftAlone(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || ArrayBuffer.isView(body)) return true
  return !(Symbol.asyncIterator in body || Symbol.iterator in body)
}

interface Wrapping {
  chunk(chunk: Uint8Array): Uint8Array
  end(): void
}

function wrapBody(body: Exclude<Body, readonly Uint8Array[]>, { chunk, end }: Wrapping): Body {
  let iterated = false
  let closed = false
  const finish = (): Promise<void> => {
    if (closed) return Promise.resolve()
    closed = true
    end()
    return close(body, iterated)
  }
  if (Symbol.asyncIterator in body) {
    const inner = body
    const wrapped = {
      async *[Symbol.asyncIterator]() {
        iterated = true
        for await (const piece of inner) yield chunk(piece)
      },
      close: finish,
    }
    return wrapped
  }
  const inner = body
  const wrapped = {
    *[Symbol.iterator]() {
      iterated = true
      for (const piece of inner) yield chunk(piece)
    },
    close: finish,
  }
  return wrapped
}

/** @param iterated its iterator was returned already: the rest of the protocol is left */
async function close(body: Body, iterated: boolean): Promise<void> {
  const faults: unknown[] = []
  const report = (error: unknown) => faults.push(error)
  await closeInOrder(body, iterated ? {} : undefined, iterated, {
    closeTimeoutMs: CLOSE_TIMEOUT_MS,
    closingFailed: report,
  })
  if (faults.length > 0) throw faults[0]
}
