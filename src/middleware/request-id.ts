/** One id for a request from the front server's log to the application's. */

import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import type { Application, Environ } from '../application.ts'
import { variable } from '../gateway/variable.ts'
import { copyEnviron } from './copy-environ.ts'
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
    const answering = onHead(application, ({ status, headers }) => ({
      status,
      headers: headerOf(headers, 'X-Request-Id') === undefined ? [...headers, ['X-Request-Id', id]] : headers,
    }))
    return current.run(id, () => answering(marked, startResponse))
  }
}

/** The id of the request that this code runs for: for loggers deep inside an application. */
export function currentRequestId(): string | undefined {
  return current.getStore()
}

function givenId(environ: Environ, trustHeader: boolean): string | undefined {
  const names = trustHeader ? ['REQUEST_ID', 'HTTP_X_REQUEST_ID'] : ['REQUEST_ID']
  return names.map((name) => variable(environ, name)).find((id) => id !== undefined && SOUND.test(id))
}
