/** Whether the inner members of http.ServerResponse still are what `response.ts` builds on: tried once per process. */

import http from 'node:http'
import type { Environ, HeaderList } from '../../application.ts'
import { EnvironSource } from '../../gateway/environ-source.ts'
import { RequestInput } from '../../gateway/input.ts'
import { ClientSocket } from './client-socket.ts'
import { type GatewayResponse, NodeExchange } from './exchange.ts'
import { responseSymbol } from './internals.ts'
import { requestConstructor } from './request.ts'
import { responseConstructor } from './response.ts'

let verdict: boolean | undefined

/** False on a version of Node that changed them: responses are then read from the text that Node writes. */
export function hooksWork(): boolean {
  verdict ??= responseSymbol('kNeedDrain') !== undefined && tryAll()
  return verdict
}

function tryAll(): boolean {
  try {
    return (
      answers('GET', (response) => response.setHeader('X-A', ['1', '2']).end('ok'), {
        status: '200 OK',
        headers: [
          ['X-A', '1'],
          ['X-A', '2'],
          ['Content-Length', '2'],
        ],
        body: 'ok',
      }) &&
      answers(
        'GET',
        (response) => {
          response.writeHead(404, 'Gone fishing', { 'X-A': '1' })
          response.write('a')
          response.end('b')
        },
        { status: '404 Gone fishing', headers: [['X-A', '1']], body: 'ab' },
      ) &&
      answers('HEAD', (response) => response.end('ok'), { status: '200 OK', headers: [], body: '' })
    )
  } catch {
    // Whatever it was: the members are not what they were.
    return false
  }
}

interface Expected {
  readonly status: string
  readonly headers: HeaderList
  readonly body: string
}

function answers(method: string, listener: (response: http.ServerResponse) => void, expected: Expected): boolean {
  const source = new EnvironSource(probeEnviron(method))
  const socket = new ClientSocket(source, undefined)
  const seen: { status: string; headers: HeaderList } = { status: '', headers: [] }
  const exchange = new NodeExchange(
    source,
    (status, headers) => {
      Object.assign(seen, { status, headers })
      return () => Promise.resolve()
    },
    socket,
  )
  const request = new (requestConstructor(http.IncomingMessage.prototype))(socket)
  request.method = method
  request.httpVersionMajor = 1
  request.httpVersionMinor = 1
  const response: GatewayResponse = new (responseConstructor(http.ServerResponse.prototype))(request, exchange)
  listener(response)
  const body = exchange.returned()
  if (!Array.isArray(body)) return false
  const text = Buffer.concat(body.filter((chunk) => chunk instanceof Uint8Array)).toString()
  return JSON.stringify({ ...seen, body: text }) === JSON.stringify({ ...expected })
}

function probeEnviron(method: string): Environ {
  const input = new RequestInput(0)
  input.end()
  return {
    REQUEST_METHOD: method,
    SCRIPT_NAME: '',
    PATH_INFO: '/',
    QUERY_STRING: '',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    'tsgi.version': [1, 0],
    'tsgi.url_scheme': 'http',
    'tsgi.input': input,
    'tsgi.input_terminated': true,
    'tsgi.errors': { write: () => undefined, writelines: () => undefined, flush: () => undefined },
    'tsgi.multithread': false,
    'tsgi.multiprocess': false,
    'tsgi.run_once': false,
    'tsgi.concurrent': true,
    'tsgi.signal': new AbortController().signal,
    'tsgi.after': () => undefined,
  }
}
