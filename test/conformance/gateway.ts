/** A real tsgi with one worker, asked over one row, and what it said about each request in its log. */

import { expect } from 'vitest'
import { freePort } from '../support/ports.ts'
import { type LogRecord, socketPath, startTsgi, type Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { type Answer, Conversation } from './conversation.ts'
import type { Row } from './rows.ts'

export interface Ask {
  /** Percent-encoded, with its query. Default `/`. */
  readonly path?: string
  /** Default GET. */
  readonly method?: string
  /** Request headers, as the front server would pass them on. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Uint8Array | string
  /** Further variables: appended, or in place of what follows from the above. `undefined` leaves one out. */
  readonly params?: Readonly<Record<string, string | undefined>>
  /** Further variables, appended as they are: for names that come twice. */
  readonly rawParams?: readonly string[]
}

/** How a request was over, as its last `tsgi.after` callback saw it. */
export interface Over {
  readonly status: number
  readonly bytes: number
  readonly aborted: boolean
  readonly error?: string
}

export interface Asked {
  readonly id: string
  readonly conversation: Conversation
}

export interface Gateway {
  readonly row: Row
  /** The path of a Unix socket, or a loopback port. */
  readonly address: string | number
  readonly tsgi: Tsgi
  /** Sends a request and leaves the rest to the test. @param sent how much of it goes out */
  readonly open: (ask: Ask, sent?: (pieces: Buffer[]) => readonly Uint8Array[]) => Asked
  /** The whole exchange. */
  readonly ask: (ask: Ask | string) => Promise<Answer & { readonly id: string }>
  /** What was logged about a request so far: messages in order, without its `over` line. */
  readonly said: (id: string) => readonly LogRecord[]
  /** Waits until the request is over, its body closed and its callbacks run. */
  readonly over: (id: string) => Promise<Over>
  /** Waits for a log message of the request. */
  readonly saying: (id: string, message: RegExp) => Promise<LogRecord>
  /** Waits for a log message that names no request. */
  readonly logged: (message: RegExp, fromRecord: number) => Promise<LogRecord>
  readonly records: () => readonly LogRecord[]
  /** Of the worker that answers now. */
  readonly workerPid: () => Promise<number>
  readonly raw: () => Conversation
}

const OVER = /^over (\{.*\})$/
let counter = 0

export async function startGateways(
  rows: readonly Row[],
  app: string,
  args: readonly string[] = [],
): Promise<{ readonly tsgi: Tsgi; readonly gateways: ReadonlyMap<Row, Gateway> }> {
  const addresses = new Map<Row, string | number>()
  const listeners: string[] = []
  for (const row of rows) {
    const address = row.transport === 'tcp' ? await freePort() : socketPath(`${row.protocol}.sock`)
    addresses.set(row, address)
    listeners.push(`--${row.protocol}`, typeof address === 'number' ? `127.0.0.1:${address}` : address)
  }
  const tsgi = await startTsgi({ app, args: ['--workers', '1', ...listeners, ...args] })
  const log = readLog(tsgi)
  const gateways = new Map([...addresses].map(([row, address]) => [row, gatewayOf(row, address, tsgi, log)] as const))
  return { tsgi, gateways }
}

interface LogReader {
  readonly all: () => readonly LogRecord[]
  readonly of: (id: string) => readonly LogRecord[]
}

/** Each line is parsed once, however often is asked. */
function readLog(tsgi: Tsgi): LogReader {
  const all: LogRecord[] = []
  const byId = new Map<string, LogRecord[]>()
  let next = 0
  const read = (): void => {
    const { lines } = tsgi.process
    for (; next < lines.length; next += 1) {
      const line = lines[next] ?? ''
      if (!line.startsWith('{')) continue
      // pino's lines are objects.
      const record = JSON.parse(line) as LogRecord
      all.push(record)
      const id = record['requestId']
      if (typeof id !== 'string') continue
      const own = byId.get(id)
      if (own === undefined) byId.set(id, [record])
      else own.push(record)
    }
  }
  return {
    all: () => {
      read()
      return all
    },
    of: (id) => {
      read()
      return byId.get(id) ?? []
    },
  }
}

function gatewayOf(row: Row, address: string | number, tsgi: Tsgi, log: LogReader): Gateway {
  const open: Gateway['open'] = (ask, sent = (pieces) => pieces) => {
    counter += 1
    const id = `r-${counter}`
    const conversation = new Conversation(address, row.createResponseParser(ask.method === 'HEAD'))
    const body = typeof ask.body === 'string' ? Buffer.from(ask.body) : ask.body
    const params = paramsOf(row, ask, body, id)
    conversation.send(...sent(row.encodeRequest({ params, ...(body !== undefined && { body }) })))
    return { id, conversation }
  }
  const ask: Gateway['ask'] = async (given) => {
    const { id, conversation } = open(typeof given === 'string' ? { path: given } : given)
    return { id, ...(await conversation.answer()) }
  }
  const said: Gateway['said'] = (id) => log.of(id).filter(({ msg }) => !OVER.test(String(msg)))
  const find = (records: () => readonly LogRecord[], message: RegExp, what: string): Promise<LogRecord> =>
    until(`${what} ${message}`, () => records().find(({ msg }) => message.test(String(msg))), 15_000)
  const over: Gateway['over'] = async (id) => {
    const { msg } = await find(() => log.of(id), OVER, id)
    // Written by the fixture application.
    return JSON.parse(OVER.exec(String(msg))?.[1] ?? '') as Over
  }
  return {
    row,
    address,
    tsgi,
    open,
    ask,
    said,
    over,
    saying: (id, message) => find(() => log.of(id), message, id),
    logged: (message, fromRecord) => find(() => log.all().slice(fromRecord), message, 'the log says'),
    records: log.all,
    workerPid: async () => Number((await ask('/pid')).text),
    raw: () => new Conversation(address, row.createResponseParser(false)),
  }
}

function paramsOf(row: Row, ask: Ask, body: Uint8Array | undefined, id: string): string[] {
  const target = ask.path ?? '/'
  const cut = target.indexOf('?')
  const path = cut < 0 ? target : target.slice(0, cut)
  const variables: Record<string, string | undefined> = {
    REQUEST_METHOD: ask.method ?? 'GET',
    REQUEST_URI: target,
    PATH_INFO: path.replace(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    QUERY_STRING: cut < 0 ? '' : target.slice(cut + 1),
    SERVER_NAME: 'example.test',
    SERVER_PORT: '8080',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REMOTE_ADDR: '192.0.2.1',
    SERVER_SOFTWARE: 'conformance/1',
    CONTENT_LENGTH: body === undefined ? row.noLength : String(body.length),
    REQUEST_ID: id,
    TELL_WHEN_OVER: 'yes',
    ...ask.params,
  }
  const params: string[] = []
  // SCGI wants it first (python.ca/scgi, protocol.txt).
  for (const [name, value] of Object.entries(variables).sort(([one], [other]) => rank(one) - rank(other))) {
    if (value !== undefined) params.push(name, value)
  }
  for (const [name, value] of ask.headers ?? []) {
    const variable = name.toUpperCase().replaceAll('-', '_')
    params.push(variable === 'CONTENT_TYPE' ? variable : `HTTP_${variable}`, value)
  }
  return [...params, ...(ask.rawParams ?? [])]
}

const rank = (name: string): number => (name === 'CONTENT_LENGTH' ? 0 : 1)

/** The fixed answer to what went wrong inside: no detail, no header of the application, nothing injected. */
export function expectPlainError(answer: Answer, status = 500, reason = 'Internal Server Error'): void {
  expect(answer.status).toBe(status)
  expect(answer.headers).toEqual([
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(reason.length + 1)],
  ])
  expect(answer.text).toBe(`${reason}\n`)
  expect(answer.problem).toBeUndefined()
}

/** Messages of the log about a request, at a level. */
export const messages = (records: readonly LogRecord[], level?: string): string[] =>
  records.filter((record) => level === undefined || record['level'] === level).map(({ msg }) => String(msg))
