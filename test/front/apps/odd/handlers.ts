/** What handlers do wrong, on the objects of Node: the same for a bare listener and below each framework. */

import type { IncomingMessage, ServerResponse } from 'node:http'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export const RAW: Readonly<Record<string, Handler>> = {
  'end-twice': (_request, response) => {
    // Without a listener the second is an uncaught exception, here and there.
    response.on('error', () => undefined)
    response.end('once')
    response.end('twice')
  },
  'write-after-end': (_request, response) => {
    response.on('error', () => undefined)
    response.end('ended')
    response.write('more')
  },
  'late-header': (_request, response) => {
    response.write('begun ')
    let code = 'nothing'
    try {
      response.setHeader('X-Late', 'yes')
    } catch (error) {
      if (error instanceof Error && 'code' in error) code = String(error.code)
    }
    response.end(code)
  },
  unread: (_request, response) => {
    response.end('unread')
  },
  'unread-413': (_request, response) => {
    response.statusCode = 413
    response.setHeader('Connection', 'close')
    response.end('too much')
  },
  'destroy-before-head': (_request, response) => {
    response.destroy()
  },
  'destroy-after-length': (_request, response) => {
    response.writeHead(200, { 'Content-Length': '100000' })
    response.write('x'.repeat(1000), () => response.destroy())
  },
  'destroy-in-stream': (_request, response) => {
    response.write('x'.repeat(1000), () => response.destroy())
  },
  'no-body-204': (_request, response) => {
    response.writeHead(204)
    response.end('not sent')
  },
  'short-of-length': (_request, response) => {
    response.writeHead(200, { 'Content-Length': '10' })
    response.end('12345')
  },
  'bad-header': (_request, response) => {
    try {
      response.setHeader('X-Bad', 'a\nb')
    } catch (error) {
      response.statusCode = 502
      response.end(error instanceof Error ? error.name : '')
    }
  },
}

/** What the application is told of a client that leaves: `/told` gives it, request by request. */
const told: string[] = []

const watch = (request: IncomingMessage, response: ServerResponse): void => {
  told.length = 0
  const note = (text: string) => () => {
    if (!told.includes(text)) told.push(text)
  }
  request.on('aborted', note('request aborted')).on('error', note('request error')).on('close', note('request close'))
  response.on('finish', note('response finish')).on('close', note('response close'))
}

export const WATCHED: Readonly<Record<string, Handler>> = {
  told: (_request, response) => {
    response.end(told.join(', '))
  },
  download: (request, response) => {
    watch(request, response)
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', more)
    more()
  },
  upload: (request, response) => {
    watch(request, response)
    request.resume()
    request.on('end', () => response.end('whole'))
  },
  never: () => undefined,
}
