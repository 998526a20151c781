/** One id for a request from the front server's log to the application's. */

import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import type { Application, Body, Environ } from '../application.ts'
import { isPromiseLike } from '../gateway/promise-like.ts'
import { variable } from '../gateway/variable.ts'
import { bodyWithin, type Enter } from './body-within.ts'
import { copyEnviron } from './copy-environ.ts'
import { trackFileBodies } from './file-bodies.ts'
import { headerOf, onHead } from './head.ts'

export interface RequestIdOptions {
  /** Takes the X-Request-Id of the request, which any client can send unless the front server sets it. Default false. */
  readonly trustHeader?: boolean
}

const SOUND = /^[\w.-]{1,128}$/
const current = new AsyncLocalStorage<string>()

/**
 * Sets `tsgi.request_id` and answers with X-Request-Id. The id is REQUEST_ID where the front server sends it
 * (`uwsgi_param REQUEST_ID $request_id`), then a trusted header, else a new one.
 */
export function requestId(application: Application, { trustHeader = false }: RequestIdOptions = {}): Application {
  return (environ, startResponse) => {
    const id = givenId(environ, trustHeader) ?? randomUUID()
    const marked = copyEnviron(environ)
    marked['tsgi.request_id'] = id
    const enter: Enter = (call) => current.run(id, call)
    marked['tsgi.after'] = (callback) =>
      // What is no function is the gateway's to refuse.
      environ['tsgi.after'](typeof callback === 'function' ? (outcome) => enter(() => callback(outcome)) : callback)
    const isFileBody = trackFileBodies(marked)
    const within = (body: Body): Body => (isFileBody(body) ? body : bodyWithin(body, enter))
    const answering = onHead(application, ({ status, headers }) => ({
      status,
      headers: headerOf(headers, 'X-Request-Id') === undefined ? [...headers, ['X-Request-Id', id]] : headers,
    }))
    const returned = enter(() => answering(marked, startResponse))
    return isPromiseLike(returned) ? Promise.resolve(returned).then(within) : within(returned)
  }
}

/**
 * The id of the request that this code runs for, for loggers deep inside an application: while it is called, in all that it began,
 * while its body is pulled and closed, and in the callbacks of `tsgi.after`.
 */
export function currentRequestId(): string | undefined {
  return current.getStore()
}

function givenId(environ: Environ, trustHeader: boolean): string | undefined {
  const names = trustHeader ? ['REQUEST_ID', 'HTTP_X_REQUEST_ID'] : ['REQUEST_ID']
  return names.map((name) => variable(environ, name)).find((id) => id !== undefined && SOUND.test(id))
}
