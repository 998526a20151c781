/** What the types of the contract refuse. Compiled with everything else (`npm run typecheck`), never run: an error that is none is one. */

import type { Application, Environ, HeaderList, Status } from 'tsgi'

export const application: Application = (environ, startResponse) => {
  const query: string = environ.QUERY_STRING
  const host: string | undefined = environ['HTTP_HOST']
  const headers: HeaderList = [
    ['Content-Type', 'text/plain'],
    ...(host === undefined ? [] : [['X-Host', host] as const]),
  ]
  startResponse(query === '' ? '200 OK' : '299 ', headers)
  return [new Uint8Array(1)]
}

export const later: Application = async () => new Set([new Uint8Array(1)])

export const statuses: readonly Status[] = [
  '404 Not Found',
  // @ts-expect-error no digits
  'Not Found',
  // @ts-expect-error no reason, and no space before it
  '404',
  // @ts-expect-error no space
  '404-Not-Found',
  // @ts-expect-error the digits come first
  'HTTP/1.1 404 Not Found',
  // @ts-expect-error a number
  404,
]

export const headerLists: readonly HeaderList[] = [
  [['Set-Cookie', 'a=1']],
  // @ts-expect-error an object
  { 'Set-Cookie': 'a=1' },
  // @ts-expect-error no pairs
  ['Set-Cookie', 'a=1'],
  // @ts-expect-error a name alone
  [['Set-Cookie']],
  // @ts-expect-error three of them
  [['Set-Cookie', 'a=1', 'b=2']],
  // @ts-expect-error a value that is no string
  [['Content-Length', 5]],
]

// @ts-expect-error a string is no body: its chunks would be characters
export const textual: Application = () => 'hello'

// @ts-expect-error nor is one that comes later
export const textualLater: Application = async () => 'hello'

// @ts-expect-error nor are strings
export const texts: Application = () => ['hello']

// @ts-expect-error a bare chunk is none: its chunks would be numbers
export const bare: Application = () => new Uint8Array(1)

// @ts-expect-error nothing is no body
export const nothing: Application = () => undefined

export function variables(environ: Environ): string[] {
  return [
    environ.PATH_INFO,
    environ['HTTP_X'] ?? '',
    // @ts-expect-error a header that may be absent
    environ['HTTP_X'],
    // @ts-expect-error what a request without a body does not have
    environ.CONTENT_TYPE,
    // @ts-expect-error a key of the gateway is no string
    environ['tsgi.input'],
    // @ts-expect-error an extension may be anything
    environ['mine.own'],
  ]
}
