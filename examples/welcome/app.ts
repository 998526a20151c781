// The page that `npm start` shows: what an application sees of a request, with the other examples mounted beside it.

import { type Application, applicationUri, dispatch, type Environ, text } from 'tsgi'
import { application as dispatching } from '../dispatch/app.ts'
import { application as errors } from '../errors/app.ts'
import { application as form } from '../form/app.ts'
import { application as hello } from '../hello/app.ts'
import { application as middleware } from '../middleware/app.ts'
import { application as routing } from '../routing/app.ts'
import { application as streaming } from '../streaming/app.ts'

const examples = [
  {
    path: '/hello',
    open: '/hello',
    application: hello,
    title: 'Hello, World!',
    about: 'Two arguments in, chunks out.',
  },
  { path: '/routing', open: '/routing/articles', application: routing, title: 'Routing', about: 'Method and path.' },
  { path: '/form', open: '/form', application: form, title: 'A form', about: 'POST, read from tsgi.input.' },
  {
    path: '/middleware',
    open: '/middleware',
    application: middleware,
    title: 'Middleware',
    about: 'One around another.',
  },
  {
    path: '/dispatch',
    open: '/dispatch/blog/x',
    application: dispatching,
    title: 'Dispatch',
    about: 'Many in one process.',
  },
  {
    path: '/errors',
    open: '/errors/before',
    application: errors,
    title: 'Errors',
    about: 'Caught, or visibly cut short.',
  },
  {
    path: '/streaming',
    open: '/streaming/clock',
    application: streaming,
    title: 'Streaming',
    about: 'Chunk by chunk.',
  },
]

/** Not for a page that anybody may open, though this one shows visitors nothing but their own. */
const SECRET = /COOKIE|AUTH|TOKEN|SECRET|PASSWORD/

const welcome: Application = (environ, startResponse) => {
  if (environ.PATH_INFO !== '/') {
    startResponse('404 Not Found', [['Content-Type', 'text/plain; charset=utf-8']])
    return [new TextEncoder().encode('There is nothing here.\n')]
  }
  startResponse('200 OK', [
    ['Content-Type', 'text/html; charset=utf-8'],
    ['Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'"],
  ])
  return [new TextEncoder().encode(page(environ))]
}

export const application = dispatch({
  '/': welcome,
  ...Object.fromEntries(examples.map((example) => [example.path, example.application])),
})

function page(environ: Environ): string {
  const base = environ.SCRIPT_NAME
  const cards = examples.map(
    ({ open, title, about }) =>
      `<a class="card" href="${escapeHtml(base + open)}"><b>${title}</b><span>${about}</span></a>`,
  )
  const rows = Object.keys(environ)
    .sort()
    .map((name) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(shown(name, environ))}</td></tr>`)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>tsgi</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#ddd, #333); --soft: light-dark(#666, #aaa); --accent: #3178c6 }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 3rem auto; padding: 0 1.25rem }
  h1 { font-size: 2.2rem; margin: 0 } h1 + p { color: var(--soft); margin-top: .25rem }
  h2 { margin-top: 2.5rem; font-size: 1.15rem }
  .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .75rem }
  .card { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; text-decoration: none; color: inherit }
  .card:hover { border-color: var(--accent) } .card b { color: var(--accent); display: block } .card span { color: var(--soft) }
  table { border-collapse: collapse; width: 100%; font-size: .9rem } tr { border-top: 1px solid var(--line) }
  th, td { text-align: left; padding: .3rem .75rem .3rem 0; vertical-align: top; font-family: ui-monospace, monospace }
  th { font-weight: 600; white-space: nowrap } td { word-break: break-word; color: var(--soft) }
</style>
<h1>It works.</h1>
<p>${escapeHtml(applicationUri(environ))}, answered by worker ${process.pid} on Node ${process.versions.node}.</p>
<h2>Examples</h2>
<div class="cards">${cards.join('\n')}</div>
<h2>The environ of this request</h2>
<table>${rows.join('\n')}</table>
</html>
`
}

function shown(name: string, environ: Environ): string {
  const value: unknown = Reflect.get(environ, name)
  if (SECRET.test(name)) return '(hidden)'
  // Variables are bytes; for reading they are taken for UTF-8.
  if (typeof value === 'string') return text(value)
  if (typeof value === 'function') return '(a function)'
  return typeof value === 'object' && !Array.isArray(value) ? '(an object)' : String(value)
}

function escapeHtml(value: string): string {
  return value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
