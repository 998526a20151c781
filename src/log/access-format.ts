/** From a format to a function that makes lines; everything that can be found out beforehand is. */

import { describe, TsgiError } from '../errors.ts'
import { type AccessEntry, atomField, type Field } from './access-atoms.ts'
import { escapeJson } from './escape.ts'
import { createIsoClock } from './time-stamps.ts'

/** Apache's and nginx's `combined`. */
const COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

/**
 * @param format `combined`, `json`, or text with atoms: `%(h)s %(r)s %({X-Forwarded-For}i)s`; `%%` is a percent sign
 * @returns a function to one line, its newline included, in ASCII
 * @throws TsgiError TSGI_USAGE for an unknown atom
 */
export function compileAccessFormat(format: string): (entry: AccessEntry) => string {
  if (format === 'json') return createJsonLine()
  return compileText(format === 'combined' ? COMBINED : format)
}

function compileText(format: string): (entry: AccessEntry) => string {
  if (!format.includes('%(')) {
    throw new TsgiError(
      'TSGI_USAGE',
      `${describe(format)} is no format of access logs; wanted: off, json, combined or a text with atoms like %(h)s`,
    )
  }
  const fields: Field[] = []
  // The text before the first field, and after each.
  const literals = ['']
  const append = (literal: string) => {
    literals.push(`${literals.pop() ?? ''}${literal}`)
  }
  let from = 0
  for (const match of format.matchAll(/%%|%\(([^)]*)\)(s?)/g)) {
    append(format.slice(from, match.index))
    from = match.index + match[0].length
    const [, name, ending] = match
    if (name === undefined) {
      append('%')
      continue
    }
    if (ending !== 's') throw new TsgiError('TSGI_USAGE', `an s is missing after ${match[0]}`)
    fields.push(atomField(name))
    literals.push('')
  }
  append(`${format.slice(from)}\n`)
  const [first = '', ...rest] = literals
  return (entry) => {
    let line = first
    for (const [index, field] of fields.entries()) line += field(entry) + (rest[index] ?? '')
    return line
  }
}

/**
 * By hand, since it runs once per request: JSON.stringify of an object of these fields takes 2 to 3 times as long. What
 * requests often have in common with the one before is not escaped again.
 */
function createJsonLine(): (entry: AccessEntry) => string {
  const isoTime = createIsoClock()
  const addr = member('addr')
  const user = member('user')
  const method = remembering((value) => escapeJson(value))
  const host = member('host')
  const protocol = remembering((value) => escapeJson(value))
  const referer = member('referer')
  const agent = member('agent')
  const tail = `,"pid":${process.pid}}\n`
  return ({ variables, time, requestId, status, bytes, durationMs, aborted }) =>
    `{"time":"${isoTime(time)}","id":"${escapeJson(requestId)}"${addr(variables.get('REMOTE_ADDR'))}` +
    `${user(variables.get('REMOTE_USER'))},"method":"${method(variables.method)}"${host(variables.host)},"uri":"` +
    `${escapeJson(variables.target)}","protocol":"${protocol(variables.protocol)}","status":${status},"bytes":${bytes},` +
    `"ms":${milliseconds(durationMs)},"aborted":${aborted}${referer(variables.get('HTTP_REFERER'))}` +
    `${agent(variables.get('HTTP_USER_AGENT'))}${tail}`
}

/** A member after others; nothing where there is no value. */
function member(name: string): (value: string | undefined) => string {
  const render = remembering((value) => `,"${name}":"${escapeJson(value)}"`)
  return (value) => (value === undefined || value === '' ? '' : render(value))
}

/** `render`, which is not asked again for the value it was asked for last. */
function remembering(render: (value: string) => string): (value: string) => string {
  let last = ''
  let rendered = render(last)
  return (value) => {
    if (value !== last) {
      rendered = render(value)
      last = value
    }
    return rendered
  }
}

/** Three decimals, from an integer: a double that is none takes longer to print. */
function milliseconds(durationMs: number): string {
  const us = Math.round(durationMs * 1000)
  const rest = us % 1000
  return `${(us - rest) / 1000}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}`
}
