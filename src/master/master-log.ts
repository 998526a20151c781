/** The master's log, which a reload may give another level or form. */

import { createLog, type Log } from '../log/logger.ts'
import type { Options } from '../options/table.ts'
import type { MasterLog } from './report.ts'

export interface AdoptingLog extends MasterLog {
  /** Goes on as these options say. */
  adopt(options: LogChoices): void
  reopen(): void
}

type LogChoices = Pick<Options, 'logLevel' | 'logFormat' | 'logFile'>

/** @throws TsgiError TSGI_USAGE where the file cannot be opened. */
export function openMasterLog(choices: LogChoices): AdoptingLog {
  let format = choices.logFormat
  let log = open(choices)
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    reopen: () => log.reopen(),
    adopt: (next) => {
      if (next.logFormat !== format) log = open(next)
      format = next.logFormat
      log.level = next.logLevel
    },
  }
}

function open({ logLevel, logFormat, logFile }: LogChoices): Log {
  return createLog({ level: logLevel, format: logFormat, file: logFile, name: 'tsgi' })
}
