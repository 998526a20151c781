/** Files of a folder, for development and small sites; in production the front server does this better. */

import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Application, Body, Environ, HeaderList, StartResponse, Status } from '../application.ts'
import { errorCode } from '../errors.ts'
import { plainAnswer } from '../gateway/plain-answer.ts'
import { pathText } from '../gateway/text.ts'
import { isNotModified, isPreconditionFailed, rangeOf, type Validators } from './conditional.ts'
import { mediaType } from './media-types.ts'
import { requestUri } from './url.ts'

export interface StaticFilesOptions {
  /** Served for a folder. Default `index.html`; false: folders are not found. */
  readonly index?: string | false
  /** How long a browser may keep a file without asking. Default 0: it asks, and is told 304. */
  readonly maxAgeSeconds?: number
  /** Answers what is no file here, instead of 404. */
  readonly otherwise?: Application
}

interface FoundFile {
  /** Real: no link in it. */
  readonly path: string
  readonly bytes: number
  readonly validators: Validators
}

type Found = FoundFile | 'folder' | undefined

/**
 * The files below `root`, by PATH_INFO. Links are followed inside of `root` only; names that begin with a dot are never
 * served. GET and HEAD, with ETag, Last-Modified, If-*, and one Range.
 */
export function staticFiles(root: string, options: StaticFilesOptions = {}): Application {
  const { index = 'index.html', maxAgeSeconds = 0, otherwise = notFound } = options
  const realRoot = realpath(root)
  // Whoever asks gets the error; nobody may be asking yet.
  realRoot.catch(() => undefined)
  return async (environ, startResponse) => {
    const path = safePath(environ)
    if (path === undefined) return otherwise(environ, startResponse)
    const base = await realRoot
    const slash = environ.PATH_INFO.endsWith('/')
    let found = await findFile(base, path)
    if (found === 'folder' && index !== false) {
      if (!slash) {
        if ((await findFile(base, join(path, index))) === undefined) return otherwise(environ, startResponse)
        return redirectToFolder(environ, startResponse)
      }
      found = await findFile(base, join(path, index))
    } else if (slash) found = undefined
    if (found === undefined || found === 'folder') return otherwise(environ, startResponse)
    if (environ.REQUEST_METHOD !== 'GET' && environ.REQUEST_METHOD !== 'HEAD') {
      startResponse('405 Method Not Allowed', [['Allow', 'GET, HEAD']])
      return []
    }
    return answer(found, environ, startResponse, maxAgeSeconds)
  }
}

/** Relative; undefined for what no file here can be: no UTF-8, a NUL, a name with a dot in front, a way up. */
function safePath(environ: Environ): string | undefined {
  const path = pathText(environ)
  if (path === null || path.includes('\0') || path.includes('\\')) return undefined
  const names = path.split('/').filter((name) => name !== '')
  return names.some((name) => name.startsWith('.')) ? undefined : names.join('/')
}

async function findFile(root: string, path: string): Promise<Found> {
  try {
    const real = await realpath(join(root, path))
    if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined
    const found = await stat(real)
    if (found.isDirectory()) return 'folder'
    // Neither a pipe nor a device: reading those never ends.
    if (!found.isFile()) return undefined
    const modifiedMs = Math.floor(found.mtimeMs / 1000) * 1000
    const etag = `W/"${found.size.toString(16)}-${Math.floor(found.mtimeMs).toString(16)}"`
    return { path: real, bytes: found.size, validators: { etag, modifiedMs } }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  const code = errorCode(error)
  return code !== undefined && ['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG', 'ELOOP'].includes(code)
}

function answer(file: FoundFile, environ: Environ, start: StartResponse, maxAgeSeconds: number): Body {
  const { validators } = file
  const common: HeaderList = [
    ['ETag', validators.etag],
    ['Last-Modified', new Date(validators.modifiedMs).toUTCString()],
    ['Cache-Control', maxAgeSeconds > 0 ? `max-age=${maxAgeSeconds}` : 'no-cache'],
  ]
  if (isPreconditionFailed(environ, validators)) return empty(start, '412 Precondition Failed', common)
  if (isNotModified(environ, validators)) return empty(start, '304 Not Modified', common)
  const range = environ.REQUEST_METHOD === 'GET' ? rangeOf(environ, file.bytes, validators) : { kind: 'whole' as const }
  if (range.kind === 'unsatisfiable') {
    return empty(start, '416 Range Not Satisfiable', [...common, ['Content-Range', `bytes */${file.bytes}`]])
  }
  const [from, to] = range.kind === 'part' ? [range.start, range.end] : [0, file.bytes]
  const headers: HeaderList = [
    ['Content-Type', mediaType(file.path)],
    ['Content-Length', String(to - from)],
    ['Accept-Ranges', 'bytes'],
    ['X-Content-Type-Options', 'nosniff'],
    ...common,
  ]
  if (range.kind === 'part')
    start('206 Partial Content', [...headers, ['Content-Range', `bytes ${from}-${to - 1}/${file.bytes}`]])
  else start('200 OK', headers)
  if (environ.REQUEST_METHOD === 'HEAD' || from === to) return []
  const wrapper = environ['tsgi.file_wrapper']
  // Elsewhere than behind tsgi there may be none.
  return (
    wrapper?.({ path: file.path, start: from, end: to }) ?? createReadStream(file.path, { start: from, end: to - 1 })
  )
}

function empty(start: StartResponse, status: Status, headers: HeaderList): Body {
  start(status, headers)
  return []
}

/** Relative links of an index page are right only below a slash. */
function redirectToFolder(environ: Environ, start: StartResponse): Body {
  const query = environ.QUERY_STRING === '' ? '' : `?${environ.QUERY_STRING}`
  start('308 Permanent Redirect', [['Location', `${requestUri(environ, { query: false })}/${query}`]])
  return []
}

const notFound: Application = (_environ, startResponse) => plainAnswer(startResponse, '404 Not Found')
