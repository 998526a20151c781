/** A start up to where it would change something: for `tsgi check`, with the messages and the exit codes of a real one. */

import { accessSync, closeSync, constants, existsSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from '../errors.ts'
import { cannotOpen } from '../log/faults.ts'
import type { OpenAs } from '../log/logger.ts'
import { givenAddresses } from '../options/addresses.ts'
import type { Options } from '../options/table.ts'
import { logFilesOf } from './log-files.ts'
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
  const { openAs } = logFilesOf(identity)
  if (options.logFile !== undefined) requireLog(options.logFile, openAs)
  readTlsFiles(options)
  if (options.pidfile !== undefined) requirePidfilePlace(options.pidfile)
  socketOwnership(options, identity)
  for (const address of givenAddresses(options)) if (address.kind === 'unix') requirePlace(address.path)
  if (options.accessLogFile !== undefined && options.accessLog !== 'off') requireLog(options.accessLogFile, openAs)
}

/** Appending, as a log is written; a named pipe is not waited for. */
const AS_IT_IS = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK

/** Without making it: the service could not open a file that somebody else has made here. */
function requireLog(path: string, openAs: OpenAs): void {
  try {
    if (existsSync(path)) closeSync(openAs(() => openSync(path, AS_IT_IS)))
    else accessSync(dirname(path), constants.W_OK | constants.X_OK)
  } catch (error) {
    // A named pipe that nobody reads yet.
    if (errorCode(error) === 'ENXIO') return
    throw cannotOpen(path, error)
  }
}
