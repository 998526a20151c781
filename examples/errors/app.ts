// An error handler: whatever an application throws, before its response or while it is on its way.

import { type Application, type Body, dispatch, type Middleware } from 'tsgi'

/** An error that the visitor may read. */
class HttpError extends Error {
  readonly status: '403 Forbidden' | '404 Not Found'

  constructor(message: string, status: HttpError['status']) {
    super(message)
    this.status = status
  }
}

const handleErrors: Middleware = (application) => async (environ, startResponse) => {
  const answer = (error: unknown): Uint8Array[] => {
    const known = error instanceof HttpError ? error : undefined
    if (known === undefined) environ['tsgi.errors'].write(`${error instanceof Error ? error.stack : String(error)}\n`)
    // excInfo replaces what was stored. When the head is out already it is thrown back: the response is cut short then,
    // and the visitor sees that it is.
    startResponse(known?.status ?? '500 Internal Server Error', [['Content-Type', 'text/plain; charset=utf-8']], error)
    return [new TextEncoder().encode(`${known?.message ?? 'Something went wrong on our side.'}\n`)]
  }
  async function* guarded(body: Body): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (error) {
      yield* answer(error)
    }
  }
  try {
    const body = await application(environ, startResponse)
    return Array.isArray(body) ? body : guarded(body)
  } catch (error) {
    return answer(error)
  }
}

export const application = handleErrors(
  dispatch({
    '/': () => {
      throw new HttpError('Try /before, /forbidden, /first-chunk or /midway.', '404 Not Found')
    },
    '/forbidden': () => {
      throw new HttpError('Not for you.', '403 Forbidden')
    },
    '/before': () => {
      throw new Error('thrown before the response began')
    },
    '/first-chunk': failingAfter(0),
    '/midway': failingAfter(2),
  }),
)

function failingAfter(chunks: number): Application {
  return (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
    return (async function* () {
      for (let chunk = 1; chunk <= chunks; chunk += 1) yield new TextEncoder().encode(`chunk ${chunk}\n`)
      throw new Error(`thrown after ${chunks} chunks`)
    })()
  }
}
