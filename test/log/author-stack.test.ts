import { describe, expect, test } from 'vitest'
import { TsgiError } from '../../src/errors.ts'
import { authorStack } from '../../src/log/author-stack.ts'

const home = new URL('../../src/', import.meta.url).href
const gateway = [
  `    at startResponse (${home}gateway/response.ts:73:22)`,
  `    at badStatus (${home}gateway/head-checks.ts:1:2)`,
]
const way = [
  `    at Exchange.run (${home}gateway/exchange.ts:120:24)`,
  '    at runInAsyncScope (node:async_hooks:206:9)',
]
const own = ['    at Array.map (<anonymous>)', '    at application (/srv/app.ts:12:24)']
const stack = (...lines: readonly string[]) => lines.join('\n')

describe('the stack that the log shows', () => {
  test('of an error of the application has no frame of tsgi, in its causes neither', () => {
    const whole = stack('Error: a', ...own, ...way, 'caused by: Error: b', ...own, ...way)
    expect(authorStack(whole, new Error('a'))).toBe(stack('Error: a', ...own, 'caused by: Error: b', ...own))
  })

  test('of what tsgi finds wrong begins where the application is', () => {
    const found = new TsgiError('TSGI_APP_BAD_STATUS', 'no status')
    expect(authorStack(stack('TsgiError: no status', ...gateway, ...own, ...way), found)).toBe(
      stack('TsgiError: no status', ...own),
    )
    expect(authorStack(stack('TsgiError: no status', ...gateway, ...way), found)).toBe('TsgiError: no status')
  })

  test('of a mistake in tsgi itself is whole', () => {
    const whole = stack('TypeError: x is not a function', ...gateway, ...own, ...way)
    expect(authorStack(whole, new TypeError('x is not a function'))).toBe(whole)
  })
})
