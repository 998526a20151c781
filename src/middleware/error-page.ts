/** What the visitor gets when an application throws: nothing of the inside in production, all of it in development. */

import type { Application, Body, Environ, HeaderList, Status } from '../application.ts'
import { asError, causes, TsgiError } from '../errors.ts'
import { variable } from '../gateway/variable.ts'
import { closeBody, isLeftAlone } from './body.ts'
import { copyEnviron } from './copy-environ.ts'
import { developmentPage } from './development-page.ts'
import { trackFileBodies } from './file-bodies.ts'
import { escapeHtml } from './html.ts'
import { status } from './status.ts'

export interface ErrorPageOptions {
  /** Shows message, stack, source and environ to whoever sees the page. Default false. */
  readonly development?: boolean
}

/** What is known of an error that may be told to the visitor: a status, and nothing else. */
interface Answer {
  readonly status: Status
  readonly headers: HeaderList
  readonly body: string
}

/**
 * The same application with its errors answered: as HTML, JSON (RFC 9457) or plain text, whichever the client prefers. An error with a
 * `status` of 400 to 599 is answered with it. What breaks after the head was sent still cuts the response short.
 * @throws TsgiError TSGI_USAGE for the development page where NODE_ENV is `production`
 */
export function errorPage(application: Application, { development = false }: ErrorPageOptions = {}): Application {
  if (development && process.env['NODE_ENV'] === 'production') {
    throw new TsgiError('TSGI_USAGE', 'errorPage: the development page shows the source, and NODE_ENV is production')
  }
  return async (environ, startResponse) => {
    const answer = async (error: unknown): Promise<Uint8Array[]> => {
      const { status, headers, body } = await answerTo(error, environ, development)
      // PEP 3333, "Error Handling": after the head this throws the error back, the response breaks off, and the gateway logs.
      startResponse(status, headers, error === undefined ? new Error('undefined was thrown') : error)
      log(environ, error)
      return environ.REQUEST_METHOD === 'HEAD' ? [] : [Buffer.from(body)]
    }
    const inner = copyEnviron(environ)
    const isFileBody = trackFileBodies(inner)
    try {
      const body = await application(inner, startResponse)
      return isLeftAlone(body) || isFileBody(body) ? body : guard(body, answer)
    } catch (error) {
      return answer(error)
    }
  }
}

function guard(body: Body, answer: (error: unknown) => Promise<Uint8Array[]>): Body {
  let iterated = false
  const guarded = {
    async *[Symbol.asyncIterator]() {
      iterated = true
      try {
        yield* body
      } catch (error) {
        yield* await answer(error)
      }
    },
    close: () => closeBody(body, { iterated }),
  }
  return guarded
}

/** The gateway does not see an error that was answered: it is logged here. */
function log(environ: Environ, error: unknown): void {
  if (error instanceof TsgiError && error.kind === 'client') return
  const stacks = causes(error).map(({ stack, message }) => stack ?? message)
  environ['tsgi.errors'].write(`${stacks.join('\ncaused by: ')}\n`)
}

async function answerTo(error: unknown, environ: Environ, development: boolean): Promise<Answer> {
  const line = statusOf(error)
  const kind = preferredKind(variable(environ, 'HTTP_ACCEPT'))
  const headers = (type: string): HeaderList => [
    ['Content-Type', type],
    ['Cache-Control', 'no-store'],
  ]
  const title = line.slice(4)
  switch (kind) {
    case 'html': {
      const body = development ? await developmentPage(error, environ, line) : productionPage(line)
      return { status: line, headers: headers('text/html; charset=utf-8'), body }
    }
    case 'json': {
      const detail = development ? { detail: asError(error).message, stack: asError(error).stack } : {}
      const body = JSON.stringify({ type: 'about:blank', title, status: Number(line.slice(0, 3)), ...detail })
      return { status: line, headers: headers('application/problem+json'), body }
    }
    case 'text': {
      const body = development ? `${line}\n\n${asError(error).stack ?? asError(error).message}\n` : `${title}\n`
      return { status: line, headers: headers('text/plain; charset=utf-8'), body }
    }
  }
}

function statusOf(error: unknown): Status {
  if (error instanceof TsgiError && error.kind === 'client') return error.status ?? status(400)
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined
  return typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599 ? status(code) : status(500)
}

type Kind = 'html' | 'json' | 'text'

/** RFC 9110 section 12.5.1, for the three types there are; what is not asked for at all is plain text. */
function preferredKind(accept: string | undefined): Kind {
  const ranges = (accept ?? '').split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 }
  })
  const qualityOf = (pattern: RegExp) =>
    Math.max(0, ...ranges.filter(({ type }) => pattern.test(type)).map(({ quality }) => quality))
  const html = qualityOf(/^(?:text\/html|application\/xhtml\+xml)$/)
  const json = qualityOf(/^application\/(?:json|problem\+json)$/)
  if (html === 0 && json === 0) return 'text'
  return json > html ? 'json' : 'html'
}

function productionPage(line: Status): string {
  const title = escapeHtml(line.slice(4))
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${title}</title>
<style>body { font: 18px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto; padding: 0 1rem }</style>
<h1>${title}</h1>
</html>
`
}
