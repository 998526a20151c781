/** A start up to where it would change something: for `tsgi check`, with the messages and the exit codes of a real one. */

import { accessSync, constants, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { cannotOpen } from '../log/faults.ts'
import { parseAddress } from '../options/address.ts'
import type { Options } from '../options/table.ts'
import { requirePidfilePlace } from './pidfile.ts'
import { workerIdentity } from './privileges.ts'
import { requirePlace } from './socket-file.ts'
import { socketOwnership } from './sockets.ts'
import { readTlsFiles } from './tls-files.ts'

/**
 * In the order in which `runMaster` comes to them. That an address is in use is no problem: the service that is checked may
 * be running.
 * @throws TsgiError TSGI_USAGE | TSGI_BIND
 */
export function rehearseStart(options: Options): void {
  const identity = workerIdentity(options)
  if (options.logFile !== undefined) requireLog(options.logFile)
  readTlsFiles(options)
  if (options.pidfile !== undefined) requirePidfilePlace(options.pidfile)
  socketOwnership(options, identity)
  const { uwsgi, fastcgi, scgi, http, socket, control, stats, metrics } = options
  for (const text of [...uwsgi, ...fastcgi, ...scgi, ...http, ...socket, control, stats, metrics]) {
    const address = text === undefined ? '' : parseAddress(text)
    if (typeof address === 'object' && address.kind === 'unix') requirePlace(address.path)
  }
  if (options.accessLogFile !== undefined) requireLog(options.accessLogFile)
}

/** Without opening it: a file that is made here, by root, could not be opened by the service later. */
function requireLog(path: string): void {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.isDirectory()) throw new Error('it is a folder')
    if (found === undefined) accessSync(dirname(path), constants.W_OK | constants.X_OK)
    else accessSync(path, constants.W_OK)
  } catch (error) {
    throw cannotOpen(path, error)
  }
}
