// Several applications in one process, told apart by path and by host.

import { type Application, applicationUri, dispatch, requestUri } from 'tsgi'

/** Says where it was mounted: that is all an application knows of it. */
const named =
  (name: string): Application =>
  (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
    const told = `${name}
mounted at  ${applicationUri(environ)}
asked for   ${requestUri(environ)}
SCRIPT_NAME ${JSON.stringify(environ.SCRIPT_NAME)}
PATH_INFO   ${JSON.stringify(environ.PATH_INFO)}
`
    return [new TextEncoder().encode(told)]
  }

export const application = dispatch({
  '/': named('site'),
  '/blog': named('blog'),
  '/api/v1': named('api, version 1'),
  '/api/v2': named('api, version 2'),
  'host:admin.localhost': named('administration'),
})
