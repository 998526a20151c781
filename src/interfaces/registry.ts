/**
 * What users export -> Handler. An interface is a row; a framework that speaks one is a row as well. What was exported
 * decides, never the number of parameters of a function: bound, wrapped and default ones have any.
 */

import { EventEmitter } from 'node:events'
import http from 'node:http'
import type { Application } from '../application.ts'
import { describe, TsgiError } from '../errors.ts'
import { applicationHandler, type Handler } from '../gateway/request-source.ts'
import { asyncInterface } from './async/interface.ts'
import type { AsyncApp } from './async/types.ts'
import type { FetchHandler, FetchObject } from './fetch/fetch.ts'
import { markOf, type NodeListener } from './marks.ts'
import { expressPrototypes, handlerOfServer } from './node/listener.ts'
import type { ListenTakeover, TakenServer } from './node/takeover.ts'

type InterfaceName = 'tsgi' | 'fetch' | 'node' | 'async'

export interface LoadedApplication {
  readonly handler: Handler
  readonly interface: InterfaceName
  /** What it was taken for, for the log: `an Express application`. */
  readonly what: string
  /** Where the application is a server that listened: that one. */
  readonly taken?: TakenServer
  /** The file exports an application as well, which that server does not call in a way that can be seen. */
  readonly isExportPassedOver?: boolean
  /**
   * Before the worker is ready. A rejection is a failed boot.
   * @param failedLater told what went wrong after it, outside of any request
   */
  startup?(failedLater: (error: Error) => void): Promise<void>
  /** After draining. */
  shutdown?(): Promise<void>
}

interface ExportContext {
  /** As in the file: `application`, `default`. */
  readonly exportName: string
  /** By whoever serves the file, and not found in it. */
  readonly isNamed?: boolean
  /** For messages. */
  readonly file: string
  /** Where `listen` is taken over: what the file made listen while it was loaded. */
  readonly takeover?: ListenTakeover
}

type Adapted = Omit<LoadedApplication, 'interface' | 'what'>

interface InterfaceRow {
  readonly name: InterfaceName
  /** In words, with its article. */
  readonly what: string
  /** True for what can be nothing else. */
  detect(exported: unknown): boolean
  /** Of what brings its own. */
  server?(exported: unknown): http.Server | undefined
  /** Whether some server calls it already, where that can be told otherwise than by its listeners. */
  isCalled?(exported: unknown): boolean
  /** @param own what `server` gave */
  adapt(exported: unknown, own: http.Server | undefined): Adapted | Promise<Adapted>
}

const ROWS: readonly InterfaceRow[] = [
  {
    name: 'async',
    what: 'an asyncApp',
    detect: (exported) => markOf(exported) === 'async',
    adapt: (exported) => asyncInterface(callable<AsyncApp>(exported)),
  },
  {
    name: 'fetch',
    what: 'a fetchHandler',
    detect: (exported) => markOf(exported) === 'fetch',
    adapt: (exported) => adaptFetch(callable<FetchHandler>(exported)),
  },
  {
    name: 'node',
    what: 'a nodeListener',
    detect: (exported) => markOf(exported) === 'node',
    adapt: (exported) => adaptServer(http.createServer(callable<NodeListener>(exported))),
  },
  {
    name: 'node',
    what: 'an http.Server',
    detect: (exported) => serverOf(exported) !== undefined,
    server: serverOf,
    adapt: (_exported, own) => adaptServer(own),
  },
  {
    name: 'node',
    what: 'an Express application',
    detect: (exported) => expressPrototypes(exported) !== undefined,
    adapt: (exported) => adaptServer(http.createServer(callable<NodeListener>(exported))),
  },
  {
    name: 'node',
    what: 'a Connect application',
    detect: (exported) => typeof exported === 'function' && hasMethods(exported, 'use', 'handle'),
    adapt: (exported) => adaptServer(http.createServer(callable<NodeListener>(exported))),
  },
  {
    name: 'node',
    what: 'a Koa application',
    detect: (exported) => hasMethods(exported, 'callback', 'use') && Array.isArray(member(exported, 'middleware')),
    // Its callback() sees to it that there is one.
    isCalled: (exported) => exported instanceof EventEmitter && exported.listenerCount('error') > 0,
    adapt: (exported) => adaptServer(http.createServer(callable<NodeListener>(call(exported, 'callback')))),
  },
  {
    name: 'node',
    what: 'a Fastify application',
    detect: (exported) => hasMethods(exported, 'ready', 'routing', 'close'),
    server: (exported) => serverOf(member(exported, 'server')),
    adapt: (exported, own) => ({
      ...adaptServer(own),
      startup: async () => void (await call(exported, 'ready')),
      shutdown: async () => void (await call(exported, 'close')),
    }),
  },
  {
    name: 'node',
    what: 'a NestJS application',
    detect: (exported) => hasMethods(exported, 'getHttpServer', 'getHttpAdapter', 'init', 'close'),
    server: (exported) => serverOf(call(exported, 'getHttpServer')),
    adapt: (exported, own) => ({
      ...adaptServer(own),
      startup: () => startNest(exported),
      shutdown: async () => void (await call(exported, 'close')),
    }),
  },
  {
    name: 'node',
    what: 'a hapi server',
    detect: (exported) =>
      hasMethods(exported, 'initialize', 'stop') && serverOf(member(exported, 'listener')) !== undefined,
    server: (exported) => serverOf(member(exported, 'listener')),
    adapt: (exported, own) => ({
      ...adaptServer(own),
      startup: async () => void (await call(exported, 'initialize')),
      shutdown: async () => void (await call(exported, 'stop')),
    }),
  },
  {
    name: 'fetch',
    what: 'an object with fetch()',
    detect: (exported) => hasMethods(exported, 'fetch'),
    // Looked at right above, by `detect`.
    adapt: (exported) => adaptFetch(exported as FetchObject),
  },
  {
    name: 'node',
    what: 'an object with an http.Server',
    detect: (exported) => serverIn(exported) !== undefined,
    server: serverIn,
    adapt: (_exported, own) => adaptServer(own),
  },
]

/** What a plain function is when somebody says so. */
const FUNCTIONS: Readonly<Record<InterfaceName, (exported: unknown) => Adapted | Promise<Adapted>>> = {
  tsgi: (exported) => ({ handler: applicationHandler(callable<Application>(exported)) }),
  fetch: (exported) => adaptFetch(callable<FetchHandler>(exported)),
  node: (exported) => adaptServer(http.createServer(callable<NodeListener>(exported))),
  async: (exported) => asyncInterface(callable<AsyncApp>(exported)),
}

/**
 * Where nothing usable is exported it waits for the file to make a server listen, `timeoutMs` at most.
 * @param exported undefined: the file exports nothing that could be meant
 * @throws TsgiError TSGI_LOAD that says what was seen and what was wanted
 */
export async function loadInterface(
  exported: unknown,
  wanted: InterfaceName | 'auto',
  context: ExportContext,
  timeoutMs: number,
): Promise<LoadedApplication> {
  const isUsable = typeof exported === 'function' || ROWS.some((row) => row.detect(exported))
  const mustListen = !isUsable || context.takeover?.wantedPort !== undefined
  if (mustListen && (wanted === 'auto' || wanted === 'node')) await context.takeover?.waitForChosen(timeoutMs)
  return adapted(exported, wanted, context)
}

async function adapted(
  exported: unknown,
  wanted: InterfaceName | 'auto',
  context: ExportContext,
): Promise<LoadedApplication> {
  const row = ROWS.find((candidate) => candidate.detect(exported))
  const own = row?.server?.(exported)
  const isNode = (row === undefined || row.name === 'node') && (wanted === 'auto' || wanted === 'node')
  const choice = isNode ? chosenServer(exported, row, own, wanted, context) : undefined
  if (choice !== undefined) {
    const what = 'the server that the file made listen'
    return { ...adaptServer(choice.taken.server), interface: 'node', what, ...choice }
  }
  if (context.takeover?.wantedPort !== undefined) throw new TsgiError('TSGI_LOAD', noSuchPort(row, context))
  if (row !== undefined && (wanted === 'auto' || wanted === row.name)) {
    return { ...(await row.adapt(exported, own)), interface: row.name, what: row.what }
  }
  if (row === undefined && typeof exported === 'function') {
    const name = functionInterface(wanted, context)
    if (name === undefined) throw new TsgiError('TSGI_LOAD', ambiguous(exported, context))
    return { ...(await FUNCTIONS[name](exported)), interface: name, what: `a function (${name})` }
  }
  throw new TsgiError('TSGI_LOAD', unusable(exported, wanted, row, context))
}

/** What a function is that no row knows; undefined: nobody has said. */
function functionInterface(wanted: InterfaceName | 'auto', { exportName }: ExportContext): InterfaceName | undefined {
  if (wanted !== 'auto') return wanted
  return exportName === 'application' ? 'tsgi' : undefined
}

/**
 * A file that makes its server listen runs through that server, which may have 'upgrade' listeners besides the application. Not so
 * where it is that of something else (metrics, a port for health checks) and the export is what is meant.
 * @returns undefined where the export is what to serve
 */
function chosenServer(
  exported: unknown,
  row: InterfaceRow | undefined,
  own: http.Server | undefined,
  wanted: InterfaceName | 'auto',
  context: ExportContext,
): Required<Pick<LoadedApplication, 'taken' | 'isExportPassedOver'>> | undefined {
  const { takeover, isNamed = false } = context
  const chosen = takeover?.chosen()
  if (takeover === undefined || chosen === undefined) return undefined
  if (exported === undefined || takeover.wantedPort !== undefined) return { taken: chosen, isExportPassedOver: false }
  const servers = takeover.servers()
  const calling = servers.find(
    ({ server }) => server === own || server.listeners('request').some((listener) => listener === exported),
  )
  if (calling !== undefined) return { taken: calling, isExportPassedOver: false }
  if (own !== undefined) return undefined
  // Such a one is more than the export, and calls it from within (Socket.IO).
  const wrapping = servers.find(({ server }) => server.listenerCount('upgrade') > 0)
  if (wrapping !== undefined) return { taken: wrapping, isExportPassedOver: false }
  const name = row?.name ?? (typeof exported === 'function' ? functionInterface(wanted, context) : undefined)
  if (name === undefined) return { taken: chosen, isExportPassedOver: false }
  if (isNamed || name === 'tsgi') return undefined
  return { taken: chosen, isExportPassedOver: row?.isCalled?.(exported) !== true }
}

function ambiguous(exported: object, context: ExportContext): string {
  return (
    `${context.file}: the export ${describe(context.exportName)} is ${describe(exported)}, which could be any of several ` +
    'things. Say which: --interface tsgi for (environ, startResponse), fetch for (request) => Response, ' +
    'node for (req, res), async for (scope, receive, send); or export it as `application` for tsgi; ' +
    'or wrap it in fetchHandler, nodeListener or asyncApp'
  )
}

function noSuchPort(row: InterfaceRow | undefined, { file, takeover }: ExportContext): string {
  const wanted = `--app-port ${takeover?.wantedPort}`
  if (row !== undefined && row.name !== 'node') {
    return `${file}: ${wanted} names a server that listens, but the export is ${row.what} and is served without one`
  }
  const asked = takeover?.servers().map((taken) => taken.asked) ?? []
  const seen = asked.length === 0 ? 'made no http server listen' : `made servers listen on ${asked.join(', ')}`
  return `${file} ${seen}: none is that of ${wanted}`
}

function unusable(
  exported: unknown,
  wanted: InterfaceName | 'auto',
  row: InterfaceRow | undefined,
  context: ExportContext,
): string {
  if (exported === undefined) {
    return `${context.file} exports no ${context.exportName} and made no http server listen: there is nothing to serve`
  }
  const seen = `${context.file}: the export ${describe(context.exportName)} is ${row?.what ?? describe(exported)}`
  if (row !== undefined) return `${seen}, which speaks the ${row.name} interface, not ${wanted} (--interface)`
  return `${seen}: wanted is a function, an object with fetch(), an http.Server, or an application of a framework`
}

/** Below NestJS may be Fastify, which routes nothing before it is ready. */
async function startNest(app: unknown): Promise<void> {
  await call(app, 'init')
  const instance = call(call(app, 'getHttpAdapter'), 'getInstance')
  if (hasMethods(instance, 'ready', 'routing')) await call(instance, 'ready')
}

async function adaptFetch(exported: FetchHandler | FetchObject): Promise<Adapted> {
  // Only here: with them comes Node's HTTP client, a tenth of what a worker takes to start.
  const [{ handlerOfFetch }, { prepareFetchGlobals }] = await Promise.all([
    import('./fetch/fetch.ts'),
    import('./fetch/globals.ts'),
  ])
  // Late for classes that the file kept when it was loaded, in time for what it names when it answers.
  prepareFetchGlobals()
  return { handler: handlerOfFetch(exported) }
}

function adaptServer(server: http.Server | undefined): Pick<LoadedApplication, 'handler'> {
  if (server === undefined) throw new TsgiError('TSGI_LOAD', 'the application has no http.Server to serve it with')
  return { handler: handlerOfServer(server) }
}

function serverOf(value: unknown): http.Server | undefined {
  if (value instanceof http.Server) return value
  // https.Server inherits tls.Server and emits the same events.
  return hasMethods(value, 'setTimeout', 'closeAllConnections', 'emit') ? (value as http.Server) : undefined
}

function serverIn(value: unknown): http.Server | undefined {
  return serverOf(member(value, 'httpServer')) ?? serverOf(member(value, 'server'))
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'function' && (typeof value !== 'object' || value === null)) return undefined
  return Reflect.get(value, name)
}

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof member(value, name) === 'function')
}

function call(value: unknown, name: string): unknown {
  const method = member(value, name)
  if (typeof method !== 'function') throw new TsgiError('TSGI_LOAD', `${describe(value)} has no method ${name}`)
  return Reflect.apply(method, value, [])
}

/** What a function takes and gives cannot be seen from outside: the interface that was named or detected says so. */
function callable<Callable extends (...parameters: never[]) => unknown>(exported: unknown): Callable {
  if (typeof exported !== 'function') throw new TsgiError('TSGI_LOAD', `${describe(exported)} is no function`)
  return exported as Callable
}
