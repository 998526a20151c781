/** What an environ says, as the scope of an async application. */

import type { Environ, HeaderList } from '../../application.ts'
import type { RequestSource } from '../../gateway/request-source.ts'
import { rawPath, strictText } from '../../gateway/text.ts'
import type { ConnectionScope } from './types.ts'

export const TSGI = { version: '1.0', spec_version: '2.5' } as const

/** Undefined where the path is no UTF-8: answered 400. */
export function connectionScope(
  { environ, variables }: RequestSource,
  state: Readonly<Record<string, unknown>>,
  extensions: Readonly<Record<string, object>>,
): ConnectionScope | undefined {
  const path = strictText(environ.SCRIPT_NAME + environ.PATH_INFO)
  const rootPath = strictText(environ.SCRIPT_NAME)
  if (path === null || rootPath === null) return undefined
  const headers: (readonly [string, string])[] = []
  variables.eachHeader((name, value) => headers.push([name.lower, value]))
  return new Connection(environ, path, rootPath, headers, { ...state }, extensions)
}

/** A class for `signal`, which is made when it is first read. */
class Connection implements ConnectionScope {
  readonly tsgi = TSGI
  readonly httpVersion: '1.0' | '1.1' | '2' | '3'
  readonly path: string
  readonly rawPath: string
  readonly queryString: string
  readonly rootPath: string
  readonly headers: HeaderList
  readonly client: readonly [string, number] | null
  readonly server: readonly [string, number | null]
  readonly environ: Environ
  state: Record<string, unknown>
  readonly extensions: Readonly<Record<string, object>>

  constructor(
    environ: Environ,
    path: string,
    rootPath: string,
    headers: HeaderList,
    state: Record<string, unknown>,
    extensions: Readonly<Record<string, object>>,
  ) {
    this.environ = environ
    this.path = path
    this.rootPath = rootPath
    this.headers = headers
    this.state = state
    this.extensions = extensions
    this.httpVersion = versionOf(environ.SERVER_PROTOCOL)
    this.rawPath = rawPath(environ)
    this.queryString = environ.QUERY_STRING
    const address = environ['REMOTE_ADDR']
    this.client = address === undefined ? null : [address, Number(environ['REMOTE_PORT'] ?? 0)]
    this.server = [environ.SERVER_NAME, Number(environ.SERVER_PORT) || null]
  }

  get signal(): AbortSignal {
    return this.environ['tsgi.signal']
  }
}

function versionOf(protocol: string): '1.0' | '1.1' | '2' | '3' {
  if (protocol === 'HTTP/1.0') return '1.0'
  if (protocol.startsWith('HTTP/2')) return '2'
  return protocol.startsWith('HTTP/3') ? '3' : '1.1'
}
