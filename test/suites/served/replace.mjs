/**
 * Loaded before a suite (`node --import`): every http and https server of the process that listens is served by tsgi. Its `listen` is
 * taken over as in a worker, a real worker in this process answers its requests, and a thin front server stands where the
 * suite looks for it.
 */

import { randomBytes } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { createFront, SERVER_VARIABLE } from './front.mjs'

const dist = (path) => import(new URL(`../../../dist/${path}.js`, import.meta.url).href)
const [
  { installListenTakeover },
  { handlerOfServer },
  { Worker },
  { wantsFastAccept },
  { createLog },
  { parseOptions },
] = await Promise.all(
  [
    'interfaces/node/takeover',
    'interfaces/node/listener',
    'worker/worker',
    'worker/accept-path',
    'log/logger',
    'options/parse',
  ].map(dist),
)

const protocol = process.env.TSGI_SUITE_PROTOCOL ?? 'fastcgi'
// A name in no folder, so that there is nothing to remove: a suite may end its process in any way.
const name = `\0tsgi-suite-${process.pid}-${randomBytes(6).toString('hex')}`
const paths = { fastcgi: `${name}-fastcgi`, uwsgi: `${name}-uwsgi` }

const servers = new Map()
let lastId = 0

/** By the server that was asked; made at the first request, as a worker makes it when its file is loaded. */
function handler(source, startResponse) {
  const entry = servers.get(source.variables.get(SERVER_VARIABLE))
  entry.handler ??= handlerOfServer(entry.server)
  return entry.handler(source, startResponse)
}

const listen = net.Server.prototype.listen
await startWorker()
installListenTakeover()
const takenListen = net.Server.prototype.listen
net.Server.prototype.listen = function (...parameters) {
  const isHttp = this instanceof http.Server || this instanceof https.Server
  const isBoundHandle = typeof parameters[0]?.listen === 'function'
  if (!isHttp || this.listening || isBoundHandle) return Reflect.apply(takenListen, this, parameters)
  const id = String(++lastId)
  servers.set(id, { server: this, handler: undefined })
  const front = createFront(this, id, { protocol, paths })
  const forward = (error) => this.emit('error', error)
  front.once('error', forward)
  Reflect.apply(listen, front, typeof parameters.at(-1) === 'function' ? parameters.slice(0, -1) : parameters)
  const take = () => {
    front.off('error', forward)
    Reflect.apply(takenListen, this, parameters)
    connect(this, front, id)
  }
  // A name is looked up first; everything else is bound when `listen` returns, or has failed.
  if (front.listening) take()
  else front.once('listening', take)
  return this
}

/** What the application does with its server reaches the front, and it sees the address of that. */
function connect(server, front, id) {
  const { _handle: handle } = server
  const { close } = handle
  Object.defineProperty(server, 'address', { value: () => front.address(), configurable: true, writable: true })
  handle.ref = () => front.ref()
  handle.unref = () => front.unref()
  handle.close = (callback) => {
    front.close()
    delete server.address
    close.call(handle, callback)
  }
  front.on('close', () => servers.delete(id))
}

async function startWorker() {
  const log = createLog({ level: process.env.TSGI_SUITE_LOG ?? 'silent', format: 'json', name: 'worker of a suite' })
  const { options } = parseOptions({ flags: new Map([['maxBodyBytes', '0']]), environment: {}, cwd: process.cwd() })
  const listeners = Object.entries(paths).map(([protocol, path]) => ({
    protocol,
    address: `unix:${path.replace('\0', '@')}`,
    transport: 'unix',
  }))
  const worker = new Worker({
    handler,
    boot: { slot: 1, generation: 1, application: '', options, listeners },
    options,
    fast: await wantsFastAccept(log),
    log,
    send: (message) => {
      if (message.kind === 'want-sockets')
        for (const [index, path] of Object.values(paths).entries()) worker.takeSocket(index, bind(path), false)
    },
    passOn: (_handle, _connection, sent) => sent(),
    draining: () => undefined,
    drained: () => undefined,
  })
  await worker.start()
}

/** As the master does it. The suite decides when its process ends. */
function bind(path) {
  const handle = net._createServerHandle(path, -1, -1)
  if (typeof handle === 'number') throw new Error(`a socket for the worker could not be bound: ${handle}`)
  handle.unref()
  return handle
}
