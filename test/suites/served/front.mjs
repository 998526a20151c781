/**
 * A thin front server: node:http parses what the clients of a suite send, and everything behind that is tsgi's. It passes a request on
 * over FastCGI or uwsgi as it comes, the response back as it comes, and each side's leaving to the other.
 */

import http from 'node:http'
import https from 'node:https'
import net from 'node:net'

const dist = (path) => import(new URL(`../../../dist/${path}.js`, import.meta.url).href)
const [{ CLIENTS }, fastcgi, { variablesOf }, { TYPE }] = await Promise.all(
  ['client/clients', 'client/fastcgi', 'worker/http-variables', 'protocol/fastcgi-records'].map(dist),
)

/** The variable that tells the worker which of the servers in this process is asked. */
export const SERVER_VARIABLE = 'SUITE_SERVER'

/** Idle connections to the worker; those of a front end with it. */
class Idle {
  #sockets = []

  take() {
    const socket = this.#sockets.pop()
    socket?.removeAllListeners()
    socket?.ref()
    return socket
  }

  keep(socket) {
    socket.removeAllListeners()
    const forget = () => {
      this.#sockets = this.#sockets.filter((other) => other !== socket)
      socket.destroy()
    }
    socket.on('close', forget).on('end', forget).on('error', forget).on('data', forget)
    socket.unref()
    this.#sockets.push(socket)
  }

  end() {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** @param paths of the worker's sockets by protocol; requests go over `protocol`, upgrades over uwsgi, which can carry them */
export function createFront(server, id, { protocol, paths }) {
  const front = server instanceof http.Server ? http.createServer() : createSecureFront(server)
  const idle = new Idle()
  // What Node looks at to tell whether a request with `Upgrade` is one for 'request': what it would find on the application's.
  front.listenerCount = (event, ...rest) =>
    event === 'upgrade' ? server.listenerCount(event) : http.Server.prototype.listenerCount.call(front, event, ...rest)
  front.maxHeadersCount = 0
  const paramsOf = (request) => [SERVER_VARIABLE, id, ...frontVariables(request)]
  const serve = (request, response) => passOn(request, response, paramsOf(request), { protocol, paths, idle })
  front.on('request', serve)
  front.on('checkExpectation', serve)
  front.on('checkContinue', (request, response) => {
    response.writeContinue()
    serve(request, response)
  })
  front.on('upgrade', (request, socket, head) => passUpgradeOn(socket, head, paramsOf(request), paths.uwsgi))
  front.on('close', () => idle.end())
  return front
}

/** As nginx sends them, save that the target stays as it was written, its host included, and the address as the kernel says it. */
function frontVariables(request) {
  const params = variablesOf(request, undefined)
  const replace = (name, value) => params.splice(params.indexOf(name) + 1, 1, value)
  replace('REQUEST_URI', request.url)
  if (request.socket.remoteAddress !== undefined) replace('REMOTE_ADDR', request.socket.remoteAddress)
  if (request.headers['content-length'] === undefined) params.push('CONTENT_LENGTH', '')
  if (request.socket.encrypted) params.push('SSL_CLIENT_VERIFY', request.socket.authorized ? 'SUCCESS' : 'NONE')
  return params
}

/** TLS ends here, with the identity of the application's server. */
function createSecureFront(server) {
  const front = https.createServer()
  for (const name of [
    '_sharedCreds',
    '_contexts',
    'requestCert',
    'rejectUnauthorized',
    'ALPNProtocols',
    'ALPNCallback',
  ])
    if (server[name] !== undefined) front[name] = server[name]
  return front
}

function passOn(request, response, params, { protocol, paths, idle }) {
  const client = CLIENTS[protocol]
  const isFastcgi = protocol === 'fastcgi'
  const isChunked = request.headers['transfer-encoding'] !== undefined
  if (isChunked && !isFastcgi) {
    // uwsgi has no other end of a body than its length.
    wholeBody(request, (body) => {
      params[params.indexOf('CONTENT_LENGTH') + 1] = String(body.length)
      exchange(connection(paths[protocol], undefined), client.encodeRequest({ params, body }))
    })
    return
  }
  if (isChunked) params.push('HTTP_TRANSFER_ENCODING', 'chunked')
  const backend = connection(paths[protocol], isFastcgi ? idle : undefined)
  if (!isFastcgi) {
    exchange(backend, client.encodeRequest({ params }))
    request.on('data', (chunk) => send(chunk))
  } else {
    exchange(backend, [
      fastcgi.encodeBeginRequest(1, true),
      fastcgi.encodeFastcgiStream(TYPE.params, 1, fastcgi.encodeFastcgiPairs(params)),
    ])
    request.on('data', (chunk) => {
      for (let at = 0; at < chunk.length; at += 0xffff)
        send(fastcgi.encodeFastcgiRecord(TYPE.stdin, 1, chunk.subarray(at, at + 0xffff)))
    })
    request.on('end', () => backend.write(fastcgi.encodeFastcgiStream(TYPE.stdin, 1, Buffer.alloc(0))))
  }

  function send(bytes) {
    if (backend.write(bytes)) return
    request.pause()
    backend.once('drain', () => request.resume())
  }

  function exchange(socket, pieces) {
    const parser = client.createResponseParser(request.method === 'HEAD')
    let isOver = false
    const end = (problem) => {
      if (isOver) return
      isOver = true
      if (problem === undefined) response.end()
      // What has arrived goes out first.
      else if (response.headersSent) response.socket?.destroySoon()
      else response.writeHead(502, { Connection: 'close' }).end(problem)
      if (problem === undefined && isFastcgi && request.complete) idle.keep(socket)
      else socket.destroy()
    }
    const handle = (event) => {
      if (event.kind === 'head') writeHead(response, event.head)
      else if (event.kind === 'body' && !response.write(event.chunk)) {
        socket.pause()
        response.once('drain', () => socket.resume())
      } else if (event.kind === 'end') end(event.problem)
    }
    socket.on('data', (bytes) => parser.feed(bytes).forEach(handle))
    socket.on('end', () => parser.close().forEach(handle))
    socket.on('error', (error) => end(error.message))
    socket.on('close', () => end('the worker closed the connection'))
    response.on('close', () => {
      if (isOver) return
      isOver = true
      socket.destroy()
    })
    // The head would wait for the first byte of the body.
    socket.cork()
    for (const piece of pieces) socket.write(piece)
    socket.uncork()
  }
}

function writeHead(response, { status, reason, headers }) {
  response.writeHead(status, reason, headers.flat())
  response.flushHeaders()
}

function connection(path, idle) {
  return idle?.take() ?? net.connect({ path })
}

function wholeBody(request, done) {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => done(Buffer.concat(chunks)))
}

/** A response over uwsgi is HTTP already, 101 or not: from here on both sides are connected. */
function passUpgradeOn(socket, head, params, path) {
  const backend = net.connect({ path, allowHalfOpen: true })
  for (const piece of CLIENTS.uwsgi.encodeRequest({ params })) backend.write(piece)
  // Not before the application has agreed, as nginx has it.
  if (head.length > 0) backend.once('data', () => backend.write(head))
  backend.pipe(socket).pipe(backend)
  const close = () => {
    backend.destroy()
    socket.destroy()
  }
  backend.on('error', close).on('close', () => socket.destroySoon())
  socket.on('error', close).on('close', () => backend.destroy())
}
