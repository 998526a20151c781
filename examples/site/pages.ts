/** Pages without a state, in tsgi's own interface. */

import { type Application, text } from 'tsgi'
import { escapeHtml, page } from './html.ts'

export const pages: Application = (environ, startResponse) => {
  if (environ.PATH_INFO === '/health') {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [Buffer.from('well\n')]
  }
  const found = environ.PATH_INFO === '/'
  startResponse(found ? '200 OK' : '404 Not Found', [['Content-Type', 'text/html; charset=utf-8']])
  return [found ? home() : missing(environ.PATH_INFO)]
}

function home(): Uint8Array {
  return page(
    'A site behind tsgi',
    `<p>This page was made by process ${process.pid}.</p>
<p>The style sheet and the picture above came from the front server, which asked nobody for them.</p>`,
  )
}

function missing(path: string): Uint8Array {
  return page('Not found', `<p>There is no page <code>${escapeHtml(text(path))}</code>.</p>`)
}
