/**
 * Handlers that do what they should not, and clients that leave: what is asked of the same file under node:http and under
 * tsgi, both behind nginx, and where the answers may differ. docs/frameworks.md lists the differences.
 */

export type OddApp = 'node' | 'express' | 'koa' | 'fastify'

export interface Observation {
  readonly status?: number
  readonly type?: string | undefined
  readonly length?: string | undefined
  readonly text?: string
  readonly complete: boolean
}

export interface Difference {
  /** Default: over every protocol. */
  readonly over?: 'uwsgi' | 'fastcgi'
  readonly instead: Partial<Observation>
  /** Both for the documentation. */
  readonly what: string
  readonly why: string
}

export interface OddCase {
  readonly name: string
  readonly path: string
  readonly method?: string
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: string
  /** Nothing but whether the response is complete: how much nginx passes on before a break is chance, the head included. */
  readonly breaks?: true
  /** Default: all. */
  readonly apps?: readonly OddApp[]
  /** What tsgi answers instead, besides what is the same, and why. */
  readonly differs?: Difference
}

const FRAMEWORKS: readonly OddApp[] = ['express', 'koa', 'fastify']
const json = [['Content-Type', 'application/json']] as const

const NOTHING_SENT: Difference = {
  what: "is tsgi's 500 instead of nginx's 502",
  instead: { status: 500, type: 'text/plain; charset=utf-8', length: '22', text: 'Internal Server Error\n' },
  why: 'nothing has been sent yet, so that the failure can be answered, and it is in the log',
}

export const ODD_CASES: readonly OddCase[] = [
  { name: 'a throw in a handler', path: '/throw', apps: FRAMEWORKS },
  { name: 'a rejected promise', path: '/reject', apps: FRAMEWORKS },
  { name: 'next(err)', path: '/next', apps: ['express'] },
  { name: 'a throw after a write', path: '/throw-after-head', apps: ['express'], differs: NOTHING_SENT },
  { name: 'end called twice', path: '/end-twice' },
  { name: 'a write after the end', path: '/write-after-end' },
  {
    name: 'a header after the head',
    path: '/late-header',
    differs: {
      what: 'has a Content-Length',
      instead: { length: '27' },
      why: 'what is written and ended in one turn is known as a whole when it is sent',
    },
  },
  { name: 'a header that cannot be sent', path: '/bad-header' },
  { name: 'a body for 204', path: '/no-body-204' },
  { name: 'less than Content-Length', path: '/short-of-length', breaks: true, apps: ['node'] },
  { name: 'a body that is never read', path: '/unread', method: 'POST', body: 'x'.repeat(300_000) },
  {
    name: 'a refusal that leaves the body',
    path: '/unread-413',
    method: 'POST',
    body: 'x'.repeat(300_000),
    // Fastify refuses such a body by itself.
    apps: ['node', 'express', 'koa'],
    differs: {
      what: "arrives every time, never as nginx's 502",
      instead: { status: 413, type: undefined, length: '8', text: 'too much', complete: true },
      why: 'node:http closes over the body that it did not read, which resets the connection; tsgi reads on until nginx has the response',
    },
  },
  { name: 'JSON that is none', path: '/json', method: 'POST', headers: json, body: '{', apps: ['express', 'fastify'] },
  {
    name: 'a body over the limit of the framework',
    path: '/json',
    method: 'POST',
    headers: json,
    body: JSON.stringify('x'.repeat(5000)),
    apps: ['express', 'fastify'],
  },
  { name: 'res.destroy() before the head', path: '/destroy-before-head', differs: NOTHING_SENT },
  { name: 'res.destroy() short of Content-Length', path: '/destroy-after-length', breaks: true },
  {
    name: 'res.destroy() in a stream of unknown length',
    path: '/destroy-in-stream',
    breaks: true,
    apps: ['node', 'express', 'fastify'],
    differs: {
      over: 'uwsgi',
      what: 'looks complete, with uwsgi over a Unix socket',
      instead: { complete: true },
      why: 'nginx takes the end of a connection to a Unix socket for the end of the response; over TCP tsgi resets it',
    },
  },
]
