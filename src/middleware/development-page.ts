/** The page for the developer: what was thrown, where in the source, how it came there, and the request that did it. */

import type { Environ } from '../application.ts'
import { asError, causes } from '../errors.ts'
import { text } from '../gateway/text.ts'
import { escapeHtml } from './html.ts'
import { codeAround, parseStack, type StackFrame } from './stack-frames.ts'

/** Names whose values are nobody's business, on a screen that others may see. */
const SECRET = /COOKIE|AUTHORIZATION|TOKEN|SECRET|PASS|SESSION|API_?KEY|SSL_CLIENT_CERT/i
const MAX_VALUE_CHARACTERS = 400

/** @param line `500 Internal Server Error` */
export async function developmentPage(thrown: unknown, environ: Environ, line: string): Promise<string> {
  const parts = await Promise.all(causes(thrown).map((error, index) => errorPart(error, index)))
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(asError(thrown).message)}</title>
<style>${STYLE}</style>
<p class="line">${escapeHtml(line)} &middot; ${escapeHtml(environ.REQUEST_METHOD)} ${escapeHtml(text(environ.SCRIPT_NAME + environ.PATH_INFO))}</p>
${parts.join('\n')}
<h2>environ</h2>
<table>${Object.keys(environ)
    .sort()
    .map((name) => environRow(name, environ))
    .join('')}</table>
<p class="line">This page is for development: it shows the source to whoever can reach it.</p>
</html>
`
}

async function errorPart(error: Error, index: number): Promise<string> {
  const frames = parseStack(error)
  const where = frames.find(({ own }) => own) ?? frames[0]
  const title = `${index === 0 ? '' : 'Caused by '}${error.name}: ${error.message}`
  return `<section>
<h1>${escapeHtml(title)}</h1>
${where === undefined ? '' : await codePart(where)}
<ol>${frames.map(framePart).join('')}</ol>
</section>`
}

async function codePart(frame: StackFrame): Promise<string> {
  const lines = await codeAround(frame)
  if (lines.length === 0) return ''
  const rows = lines.map(({ number, text: code, marked }) => {
    return `<span${marked ? ' class="marked"' : ''}><i>${number}</i>${escapeHtml(code)}\n</span>`
  })
  return `<p class="place">${escapeHtml(`${frame.file}:${frame.line}:${frame.column}`)}</p><pre>${rows.join('')}</pre>`
}

function framePart({ name, file, line, column, own }: StackFrame): string {
  return `<li${own ? ' class="own"' : ''}>${escapeHtml(name || '(top level)')} <span>${escapeHtml(`${file}:${line}:${column}`)}</span></li>`
}

function environRow(name: string, environ: Environ): string {
  const value: unknown = name === 'tsgi.signal' ? '(an AbortSignal)' : Reflect.get(environ, name)
  return `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(shown(name, value))}</td></tr>`
}

function shown(name: string, value: unknown): string {
  if (SECRET.test(name)) return '(masked)'
  if (typeof value === 'function') return '(a function)'
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return '(an object)'
  const whole = typeof value === 'string' ? text(value) : JSON.stringify(value)
  const told = name === 'REQUEST_URI' || name === 'QUERY_STRING' || name === 'HTTP_REFERER' ? maskQuery(whole) : whole
  return told.length > MAX_VALUE_CHARACTERS ? `${told.slice(0, MAX_VALUE_CHARACTERS)}…` : told
}

function maskQuery(query: string): string {
  return query.replace(/([?&]|^)([^=&?]*)=([^&#]*)/g, (pair: string, before: string, name: string) =>
    SECRET.test(name) ? `${before}${name}=(masked)` : pair,
  )
}

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#ddd, #333); --soft: light-dark(#666, #aaa); --mark: light-dark(#fee, #522) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; white-space: pre-wrap; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
.line, .place, ol span, td { color: var(--soft) } .place { font-family: monospace; margin: 0 }
pre { border: 1px solid var(--line); padding: .5rem 0; overflow: auto; tab-size: 2 }
pre span { display: block; padding: 0 1rem } pre i { display: inline-block; width: 3.5rem; color: var(--soft) }
.marked { background: var(--mark) } li { color: var(--soft) } li.own { color: inherit; font-weight: 600 }
table { border-collapse: collapse; font-family: monospace } tr { border-top: 1px solid var(--line) }
th, td { text-align: left; padding: .2rem .75rem .2rem 0; vertical-align: top; overflow-wrap: anywhere }
th { white-space: nowrap }
`
