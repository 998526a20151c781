/** From what the operator named to what the worker runs. */

import { basename } from 'node:path'
import { type LoadedApplication, loadInterface } from '../interfaces/registry.ts'
import { installListenTakeover } from '../interfaces/takeover.ts'
import type { Log } from '../log/logger.ts'
import { errorPage } from '../middleware/error-page.ts'
import type { Options } from '../options/table.ts'
import { loadApplication } from './load.ts'

/** A file that exports nothing may still be on its way to `listen`: after this it is not. */
const LISTEN_TIMEOUT_MS = 5_000

/** @throws TsgiError TSGI_LOAD */
export async function bootApplication(
  spec: string,
  options: Pick<Options, 'interface' | 'tsLoader' | 'debug'>,
  log: Log,
): Promise<LoadedApplication> {
  const wanted = options.interface
  // Before the application is loaded: it may listen while it is.
  const takeover = wanted === 'auto' || wanted === 'node' ? installListenTakeover() : undefined
  const loaded = await loadApplication(spec, {
    interface: wanted,
    tsLoader: options.tsLoader,
    say: (message) => log.info(message),
    listened: async () => (await takeover?.firstServer(LISTEN_TIMEOUT_MS)) !== undefined,
  })
  const file = basename(spec)
  const context = { exportName: loaded.exportName, file, ...(takeover && { takeover }) }
  const application = await loadInterface(loaded.exported, wanted, context, LISTEN_TIMEOUT_MS)
  for (const { asked } of takeover?.servers() ?? []) {
    log.info(`${file} wanted to listen on ${asked}: its requests come from tsgi's sockets instead`)
  }
  log.debug({ interface: application.interface, what: application.what, loader: loaded.loader }, `${file} is loaded`)
  if (!options.debug) return application
  return { ...application, application: errorPage(application.application, { development: true }) }
}
