/** From what the operator named to what the worker runs. */

import { basename } from 'node:path'
import { asError, TsgiError } from '../errors.ts'
import { handlerApplication } from '../gateway/environ-source.ts'
import { applicationHandler } from '../gateway/request-source.ts'
import { rememberNative } from '../interfaces/fetch/native.ts'
import { installListenTakeover, type TakenServer } from '../interfaces/node/takeover.ts'
import { type LoadedApplication, loadInterface } from '../interfaces/registry.ts'
import type { Log } from '../log/logger.ts'
import { errorPage } from '../middleware/error-page.ts'
import type { Options } from '../options/table.ts'
import { loadApplication } from './load/application.ts'
import { refuseClusterFork } from './load/cluster-fork.ts'
import { keepChannel } from './load/keep-channel.ts'

/** A file that exports nothing may still be on its way to `listen`: after this it is not. */
const LISTEN_TIMEOUT_MS = 5_000

/** @throws TsgiError TSGI_LOAD */
export async function bootApplication(
  spec: string,
  options: Pick<Options, 'interface' | 'tsLoader' | 'debug' | 'appPort'>,
  log: Log,
): Promise<LoadedApplication> {
  const wanted = options.interface
  // With ten frames, those of a framework alone fill the page for the developer.
  if (options.debug) Error.stackTraceLimit = Math.max(Error.stackTraceLimit, 50)
  // All before the application is loaded: it may listen while it is, put its own fetch in place of Node's, and keep what it finds.
  const takeover = wanted === 'auto' || wanted === 'node' ? installListenTakeover(options.appPort) : undefined
  rememberNative()
  if (wanted === 'fetch') (await import('../interfaces/fetch/globals.ts')).prepareFetchGlobals()
  refuseClusterFork(basename(spec))
  keepChannel((message) => log.warn(message))
  const loaded = await loadApplication(spec, {
    tsLoader: options.tsLoader,
    say: (message) => log.info(message),
    listened: async () => (await takeover?.waitForChosen(LISTEN_TIMEOUT_MS)) !== undefined,
  })
  const file = basename(spec)
  const { exportName, isNamed } = loaded
  const context = { exportName, isNamed, file, ...(takeover && { takeover }) }
  const application = await loadInterface(loaded.exported, wanted, context, LISTEN_TIMEOUT_MS)
  takeover?.onListen((taken) => sayTaken(taken, application, { file, exportName }, log))
  log.debug({ interface: application.interface, what: application.what, loader: loaded.loader }, `${file} is loaded`)
  if (!options.debug) return application
  // What `next build` writes does so itself. Its own answer to an error is served then, and not our page with the source.
  if (process.env['NODE_ENV'] === 'production') {
    log.warn(`${file} has set NODE_ENV to production: no page shows what its errors are`)
    return application
  }
  const paged = errorPage(handlerApplication(application.handler), { development: true })
  return { ...application, handler: applicationHandler(paged) }
}

/**
 * The startup of its lifespan, where it has one: part of what a deployment must get right before anything is served.
 * @throws TsgiError TSGI_LOAD
 */
export async function startApplication({ startup }: LoadedApplication, log: Log): Promise<void> {
  try {
    await startup?.((error) => log.error({ err: error }, 'the lifespan of the application ended with an error'))
  } catch (thrown) {
    const error = asError(thrown)
    throw new TsgiError('TSGI_LOAD', error.message, { cause: error })
  }
}

/** Nothing listens where the application asked to: whoever expects it there reads here what happened instead. */
function sayTaken(
  taken: TakenServer,
  application: LoadedApplication,
  { file, exportName }: { readonly file: string; readonly exportName: string },
  log: Log,
): void {
  const wanted = `${file} wanted to listen on ${taken.asked}`
  if (taken === application.taken) {
    const served = `${wanted}: its requests come from tsgi's sockets instead`
    if (application.isExportPassedOver) log.warn(`${served}; ${file}:${exportName} would serve what the file exports`)
    else log.info(served)
  } else if (application.taken === undefined) log.info(`${wanted}: nothing listens there, its export is served instead`)
  else {
    const other = taken.port === undefined ? '' : `; --app-port ${taken.port} would serve it instead`
    log.warn(`${wanted} as well: nothing listens there, ${application.taken.asked} is what is served${other}`)
  }
}
