/** The code of a body, run where its application ran: the gateway pulls and closes it from a context of its own. */

import type { Body } from '../application.ts'
import { closeBody, isLeftAlone } from './body.ts'

/** Calls `call` within a context, such as that of an AsyncLocalStorage. */
export type Enter = <Value>(call: () => Value) => Value

/** The same body, iterated and closed by way of `enter`. What is iterated without waiting stays so; an array stays as it is. */
export function bodyWithin(body: Body, enter: Enter): Body {
  if (Array.isArray(body) || isLeftAlone(body)) return body
  let iterated = false
  const close = (): Promise<void> => enter(() => closeBody(body, { iterated }))
  if (Symbol.asyncIterator in body) {
    const wrapped = {
      [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
        iterated = true
        const iterator = enter(() => body[Symbol.asyncIterator]())
        return {
          next: () => enter(() => iterator.next()),
          return: async () => (await enter(() => iterator.return?.())) ?? ENDED,
        }
      },
      close,
    }
    return wrapped
  }
  const wrapped = {
    [Symbol.iterator](): Iterator<Uint8Array> {
      iterated = true
      const iterator = enter(() => body[Symbol.iterator]())
      return {
        next: () => enter(() => iterator.next()),
        return: () => enter(() => iterator.return?.()) ?? ENDED,
      }
    },
    close,
  }
  return wrapped
}

const ENDED: IteratorReturnResult<undefined> = { done: true, value: undefined }
