/** Several applications in one process, told apart by path and by host. */

import type { Application, Environ } from '../application.ts'
import { describe, TsgiError } from '../errors.ts'
import { plainAnswer } from '../gateway/plain-answer.ts'
import { copyEnviron } from './copy-environ.ts'
import { hostName } from './url.ts'

/**
 * `'/api'` mounts below a path, `'host:admin.example'` a whole host, `'host:admin.example/api'` a path of one host, and `'/'`
 * is what is left.
 */
export type Mounts = Readonly<Record<string, Application>>

interface Mount {
  readonly host: string | undefined
  /** `''` or `/x`. */
  readonly path: string
  readonly application: Application
}

/**
 * The longest mount that fits is called with its path moved from PATH_INFO to SCRIPT_NAME; a mount for the host goes before
 * one for any. What fits none is answered 404.
 * @throws TsgiError TSGI_USAGE for a mount that could never fit
 */
export function dispatch(mounts: Mounts): Application {
  const byFit = Object.entries(mounts)
    .map(([key, application]) => parseMount(key, application))
    .sort((a, b) => Number(b.host !== undefined) - Number(a.host !== undefined) || b.path.length - a.path.length)
  return (environ, startResponse) => {
    const mount = byFit.find((candidate) => fits(candidate, environ))
    if (mount === undefined) return plainAnswer(startResponse, '404 Not Found')
    return mount.application(mount.path === '' ? environ : moved(environ, mount.path), startResponse)
  }
}

function parseMount(key: string, application: Application): Mount {
  const [, host, path = ''] = /^(?:host:([^/:]+|\[[^\]]+\]))?(\/.*)?$/.exec(key) ?? []
  const trimmed = path.replace(/\/+$/, '')
  if (key === '' || (host === undefined && path === '') || /[?#]|\/\//.test(trimmed)) {
    throw new TsgiError(
      'TSGI_USAGE',
      `dispatch: ${describe(key)} is no mount; wanted: /path, host:name or host:name/path`,
    )
  }
  if (typeof application !== 'function') {
    throw new TsgiError('TSGI_USAGE', `dispatch: at ${key} there is ${describe(application)}, not an application`)
  }
  return { host: host?.toLowerCase(), path: trimmed, application }
}

function fits({ host, path }: Mount, environ: Environ): boolean {
  if (host !== undefined && host !== hostName(environ)) return false
  const { PATH_INFO } = environ
  return (
    PATH_INFO.startsWith(path) && (PATH_INFO.length === path.length || path === '' || PATH_INFO[path.length] === '/')
  )
}

/** A copy: the layers outside still see the whole path. */
function moved(environ: Environ, path: string): Environ {
  const copy = copyEnviron(environ)
  copy.SCRIPT_NAME += path
  copy.PATH_INFO = copy.PATH_INFO.slice(path.length)
  return copy
}
