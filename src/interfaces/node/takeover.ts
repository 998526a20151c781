/**
 * Applications that listen by themselves: `listen` of http and https servers gives the server to tsgi instead of opening a
 * port. Only a prototype changes, so named ESM imports, CommonJS and subclasses are all met. Everything around it (events,
 * `listening`, `close`, a second `listen`) stays Node's own code, which works on the handle that it finds.
 */

import http from 'node:http'
import https from 'node:https'
import net from 'node:net'

export interface TakenServer {
  readonly server: http.Server
  /** As the application asked for it: `port 3000`, `/run/app.sock`. For the log. */
  readonly asked: string
  readonly port: number | undefined
}

export interface ListenTakeover {
  /** In the order in which they listened; a second address of the same port is the same server and not listed. */
  servers(): readonly TakenServer[]
  /** The one of them that is the application: the first, or the first that asked for the wanted port. */
  chosen(): TakenServer | undefined
  /**
   * What `chosen` gives, as soon as there is one. Undefined after `timeoutMs`, and as soon as nothing is left that could still
   * make the application listen.
   */
  waitForChosen(timeoutMs: number): Promise<TakenServer | undefined>
  /** The only port whose server is wanted; undefined: any. */
  readonly wantedPort: number | undefined
  /** `heard` is called for every server that listens, those that listened before included. */
  onListen(heard: (taken: TakenServer) => void): void
  /** Gives `listen` back to Node: for tests. */
  uninstall(): void
}

type Listen = typeof net.Server.prototype.listen

/** What Node reads of a listening handle. */
class TakenHandle {
  readonly #address: net.AddressInfo
  #onClose: (() => void) | undefined

  constructor(address: net.AddressInfo, onClose: () => void) {
    this.#address = address
    this.#onClose = onClose
  }

  getsockname(out: Partial<net.AddressInfo>): number {
    Object.assign(out, this.#address)
    return 0
  }

  close(callback?: () => void): void {
    this.#onClose?.()
    this.#onClose = undefined
    if (callback !== undefined) process.nextTick(callback)
  }

  ref(): void {
    // There is no descriptor that could keep the process alive; the worker's own does.
  }

  unref(): void {
    // As above.
  }

  hasRef(): boolean {
    return true
  }
}

/** Closed by the application: 'close' comes when the last of their requests is answered. */
const closedWhileBusy = new WeakSet<http.Server>()

/** True once, for a server that was closed and whose last request just ended. */
export function takeClosing(server: http.Server): boolean {
  return closedWhileBusy.delete(server)
}

function countOf(server: http.Server): number {
  // Counted up and down by the request that is emitted on the server; `@types/node` leaves the member out.
  const count: unknown = Reflect.get(server, '_connections')
  return typeof count === 'number' ? count : 0
}

interface Asked {
  readonly port: number | undefined
  readonly host: string | undefined
  readonly path: string | undefined
  readonly signal: AbortSignal | undefined
  readonly callback: ((this: unknown) => void) | undefined
}

/** @param wantedPort with several servers in one application, the one that asks for this port is served */
export function installListenTakeover(wantedPort?: number): ListenTakeover {
  const taken: TakenServer[] = []
  const hearing = new Set<(entry: TakenServer) => void>()
  const listen: Listen = net.Server.prototype.listen
  // The channels to the master are there before the application is. So are these two, which Node makes when they are first used.
  void [process.stdout, process.stderr]
  const isIdle = idleBeside(countStreams(process.getActiveResourcesInfo()))
  net.Server.prototype.listen = function (this: net.Server, ...parameters: unknown[]): net.Server {
    // A server that listens already gets the error that Node throws then. A bound handle is tsgi's own HTTP listener's.
    if (!isHttpServer(this) || this.listening || isBoundHandle(parameters[0]))
      return Reflect.apply(listen, this, parameters)
    const entry = take(this, parseListen(parameters), taken)
    if (entry !== undefined) for (const heard of hearing) heard(entry)
    return this
  }
  const chosen = (): TakenServer | undefined =>
    taken.find((entry) => wantedPort === undefined || entry.port === wantedPort)
  return {
    servers: () => taken,
    chosen,
    wantedPort,
    onListen: (heard) => {
      for (const entry of taken) heard(entry)
      hearing.add(heard)
    },
    uninstall: () => {
      net.Server.prototype.listen = listen
    },
    waitForChosen: (timeoutMs) =>
      new Promise((resolve) => {
        const settle = (): void => {
          clearTimeout(timer)
          clearInterval(looking)
          hearing.delete(look)
          resolve(chosen())
        }
        const look = (): void => {
          if (chosen() !== undefined) settle()
        }
        // Neither is to count as something that the application waits for.
        const timer = setTimeout(settle, timeoutMs).unref()
        const looking = setInterval(() => isIdle() && settle(), LOOK_INTERVAL_MS).unref()
        hearing.add(look)
        look()
      }),
  }
}

const LOOK_INTERVAL_MS = 20
/** Between two looks something may just have ended, and what follows on it not have begun. */
const IDLE_LOOKS = 5

/** What keeps an event loop alive and is not the process's own: timers, files and connections in use, resolutions, children. */
function countBusy(ownStreams: number): number {
  const active = process.getActiveResourcesInfo()
  return active.length - Math.min(countStreams(active), ownStreams)
}

/** Pipes, and terminals. */
const countStreams = (resources: readonly string[]): number =>
  resources.filter((type) => type === 'PipeWrap' || type === 'TTYWrap').length

/** True where nothing was in use whenever it was looked at lately. */
function idleBeside(ownStreams: number): () => boolean {
  let idleLooks = 0
  return () => {
    idleLooks = countBusy(ownStreams) > 0 ? 0 : idleLooks + 1
    return idleLooks >= IDLE_LOOKS
  }
}

/** A TCP or Pipe of libuv; options for `listen` have no method of this name. */
const isBoundHandle = (first: unknown): boolean => typeof first === 'object' && first !== null && 'listen' in first

function isHttpServer(server: net.Server): server is http.Server {
  return server instanceof http.Server || server instanceof https.Server
}

/** @returns undefined for a second address of a server that is taken already */
function take(server: http.Server, asked: Asked, taken: TakenServer[]): TakenServer | undefined {
  const address = addressOf(asked, taken.length)
  const entry: TakenServer = {
    server,
    asked: asked.path ?? `port ${address.port}`,
    port: asked.path === undefined ? address.port : undefined,
  }
  // Fastify listens on every address of 'localhost', each with a server of its own: one application.
  const isSecondAddress = entry.port !== undefined && taken.some(({ port }) => port === entry.port)
  if (!isSecondAddress) taken.push(entry)
  const handle = new TakenHandle(address, () => {
    const at = taken.indexOf(entry)
    if (at >= 0) taken.splice(at, 1)
    if (countOf(server) > 0) closedWhileBusy.add(server)
  })
  Reflect.set(server, '_handle', handle)
  // net.Server.address() gives the path itself for a Unix socket.
  if (asked.path !== undefined)
    Object.defineProperty(server, 'address', { value: () => asked.path, configurable: true })
  const { signal } = asked
  if (signal !== undefined) {
    const close = (): void => void server.close()
    if (signal.aborted) process.nextTick(close)
    else signal.addEventListener('abort', close, { once: true })
  }
  if (asked.callback !== undefined) server.once('listening', asked.callback)
  process.nextTick(() => {
    if (server.listening) server.emit('listening')
  })
  return isSecondAddress ? undefined : entry
}

/** listen(port, host, backlog, callback), listen(path, ...), listen({ port, host, path, signal }, callback). */
function parseListen(parameters: readonly unknown[]): Asked {
  const last = parameters.at(-1)
  const callback = isCallback(last) ? last : undefined
  const [first, second] = parameters
  if (typeof first === 'object' && first !== null) {
    const { port, host, path, signal }: { port?: unknown; host?: unknown; path?: unknown; signal?: unknown } = first
    return {
      port: portOf(port),
      host: typeof host === 'string' ? host : undefined,
      path: typeof path === 'string' ? path : undefined,
      signal: signal instanceof AbortSignal ? signal : undefined,
      callback,
    }
  }
  const port = portOf(first)
  return {
    port,
    host: typeof second === 'string' && port !== undefined ? second : undefined,
    path: typeof first === 'string' && port === undefined ? first : undefined,
    signal: undefined,
    callback,
  }
}

function isCallback(value: unknown): value is (this: unknown) => void {
  return typeof value === 'function'
}

function portOf(value: unknown): number | undefined {
  if (typeof value !== 'number' && (typeof value !== 'string' || !/^[0-9]+$/.test(value))) return undefined
  const port = Number(value)
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port
  throw Object.assign(new RangeError(`options.port should be >= 0 and < 65536. Received ${port}.`), {
    code: 'ERR_SOCKET_BAD_PORT',
  })
}

const FIRST_EPHEMERAL_PORT = 49_152

/** What the application would have got; where it left the port open, one that an operating system could have chosen. */
function addressOf(asked: Asked, index: number): net.AddressInfo {
  const port = asked.port === undefined || asked.port === 0 ? FIRST_EPHEMERAL_PORT + index : asked.port
  const host = asked.host === 'localhost' ? '127.0.0.1' : (asked.host ?? '::')
  return { address: host, port, family: host.includes(':') ? 'IPv6' : 'IPv4' }
}
