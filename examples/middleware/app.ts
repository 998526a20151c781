// Middleware: an application around an application. One adds a header, one changes the body, one measures the time.

import { type Application, type Middleware, mapBody, onHead, withoutHeaders } from 'tsgi'

const poweredBy: Middleware = (application) =>
  onHead(application, ({ status, headers }) => ({ status, headers: [...headers, ['X-Served-By', 'tsgi']] }))

/** Whoever changes the bytes drops what was said about them; the gateway counts anew where it can. */
const shout: Middleware = (application) => {
  const withoutLength = onHead(application, ({ status, headers }) => ({
    status,
    headers: withoutHeaders(headers, 'Content-Length', 'ETag'),
  }))
  return async (environ, startResponse) =>
    mapBody(await withoutLength(environ, startResponse), (chunk) =>
      Buffer.from(Buffer.from(chunk).toString('latin1').toUpperCase(), 'latin1'),
    )
}

/** What must wait for the end of the response is registered with tsgi.after: it delays nobody. */
const timed: Middleware = (application) => (environ, startResponse) => {
  const startedMs = performance.now()
  environ['tsgi.after'](({ status, bytes }) => {
    const tookMs = (performance.now() - startedMs).toFixed(1)
    environ['tsgi.errors'].write(
      `${environ.REQUEST_METHOD} ${environ.PATH_INFO}: ${status}, ${bytes} bytes, ${tookMs} ms\n`,
    )
  })
  return application(environ, startResponse)
}

const greet: Application = (_environ, startResponse) => {
  const body = Buffer.from('hello from the inside\n')
  startResponse('200 OK', [
    ['Content-Type', 'text/plain'],
    ['Content-Length', String(body.length)],
  ])
  return [body]
}

export const application: Application = timed(poweredBy(shout(greet)))
