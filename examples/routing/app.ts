// Routing on REQUEST_METHOD and PATH_INFO.

import { type Application, type Environ, pathText, type StartResponse, status } from 'tsgi'

type Handler = (environ: Environ, start: StartResponse, found: Record<string, string>) => Uint8Array[]

const articles = new Map([
  ['1', 'The first article'],
  ['2', 'Ein zweiter Artikel über Füchse'],
])

const routes: readonly (readonly [method: string, path: RegExp, handler: Handler])[] = [
  ['GET', /^\/$/, (_environ, start) => text(start, 200, 'Try /articles, /articles/1, /hello/your name\n')],
  ['GET', /^\/articles$/, (_environ, start) => json(start, 200, Object.fromEntries(articles))],
  ['GET', /^\/articles\/(?<id>\d+)$/, showArticle],
  ['DELETE', /^\/articles\/(?<id>\d+)$/, removeArticle],
  ['GET', /^\/hello\/(?<name>[^/]+)$/, (_environ, start, { name }) => text(start, 200, `Hello, ${name}!\n`)],
]

export const application: Application = (environ, startResponse) => {
  // PATH_INFO holds bytes; as text it may turn out to be no UTF-8.
  const path = pathText(environ)
  if (path === null) return text(startResponse, 400, 'The path is no UTF-8.\n')
  const fitting = routes.filter(([, pattern]) => pattern.test(path))
  if (fitting.length === 0) return text(startResponse, 404, `There is nothing at ${path}\n`)

  // A HEAD is answered like a GET: the gateway leaves out the body.
  const method = environ.REQUEST_METHOD === 'HEAD' ? 'GET' : environ.REQUEST_METHOD
  const route = fitting.find(([accepted]) => accepted === method)
  if (route === undefined) {
    const allowed = fitting.map(([accepted]) => accepted).join(', ')
    startResponse(status(405), [['Allow', allowed]])
    return []
  }
  const [, pattern, handler] = route
  return handler(environ, startResponse, { ...pattern.exec(path)?.groups })
}

function showArticle(_environ: Environ, start: StartResponse, { id = '' }: Record<string, string>): Uint8Array[] {
  const title = articles.get(id)
  return title === undefined ? text(start, 404, 'There is no such article.\n') : json(start, 200, { id, title })
}

function removeArticle(_environ: Environ, start: StartResponse, { id = '' }: Record<string, string>): Uint8Array[] {
  if (!articles.delete(id)) return text(start, 404, 'There is no such article.\n')
  start(status(204), [])
  return []
}

function text(start: StartResponse, code: number, body: string): Uint8Array[] {
  start(status(code), [['Content-Type', 'text/plain; charset=utf-8']])
  return [new TextEncoder().encode(body)]
}

function json(start: StartResponse, code: number, body: unknown): Uint8Array[] {
  start(status(code), [['Content-Type', 'application/json']])
  return [new TextEncoder().encode(JSON.stringify(body))]
}
