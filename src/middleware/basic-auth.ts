/** HTTP Basic authentication (RFC 7617), for staging sites and the like. */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Application } from '../application.ts'
import { plainAnswer } from '../gateway/plain-answer.ts'
import { byteString, strictText } from '../gateway/text.ts'
import { variable } from '../gateway/variable.ts'
import { copyEnviron } from './copy-environ.ts'

export interface BasicAuthOptions {
  /** Shown by the browser. */
  readonly realm?: string
  /** Names and passwords, or a function that decides. */
  readonly users:
    | Readonly<Record<string, string>>
    | ((user: string, password: string) => boolean | PromiseLike<boolean>)
}

/** Sets REMOTE_USER and AUTH_TYPE for the application; everybody else gets 401. */
export function basicAuth(application: Application, { realm = 'Restricted', users }: BasicAuthOptions): Application {
  const challenge = `Basic realm="${realm.replace(/["\\]/g, '\\$&')}", charset="UTF-8"`
  const allows = typeof users === 'function' ? users : compareWith(users)
  return async (environ, startResponse) => {
    const given = credentials(variable(environ, 'HTTP_AUTHORIZATION'))
    if (given === undefined || !(await allows(given.user, given.password))) {
      return plainAnswer(startResponse, '401 Unauthorized', [['WWW-Authenticate', challenge]])
    }
    const known = copyEnviron(environ)
    known['REMOTE_USER'] = byteString(given.user)
    known['AUTH_TYPE'] = 'Basic'
    return application(known, startResponse)
  }
}

function credentials(header: string | undefined): { readonly user: string; readonly password: string } | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(header ?? '') ?? []
  if (encoded === undefined) return undefined
  const decoded = strictText(Buffer.from(encoded, 'base64').toString('latin1'))
  const colon = decoded?.indexOf(':') ?? -1
  return decoded === null || colon === -1
    ? undefined
    : { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) }
}

/** Takes the same time for a wrong name, a wrong password and a right one. */
function compareWith(users: Readonly<Record<string, string>>): (user: string, password: string) => boolean {
  const key = randomBytes(32)
  const digest = (text: string) => createHmac('sha256', key).update(text).digest()
  const nobody = digest(randomBytes(32).toString('hex'))
  const known = new Map(Object.entries(users).map(([user, password]) => [user, digest(password)]))
  return (user, password) => {
    const expected = known.get(user)
    const same = timingSafeEqual(digest(password), expected ?? nobody)
    return same && expected !== undefined
  }
}
