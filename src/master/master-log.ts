/** The master's log, which a reload may give another level or form. */

import { tellNotReopened } from '../log/faults.ts'
import { createLog, type Log, type OpenAs } from '../log/logger.ts'
import type { Options } from '../options/table.ts'
import type { MasterLog } from './report.ts'

interface AdoptingLog extends MasterLog {
  /** Goes on as these options say. */
  adopt(options: LogChoices): void
  /** As that of a Log. */
  reopen(): Error | undefined
}

type LogChoices = Pick<Options, 'logLevel' | 'logFormat' | 'logFile'>

/**
 * @param openAs runs what opens the file, with the rights that it is to be opened with
 * @throws TsgiError TSGI_USAGE where the file cannot be opened.
 */
export function openMasterLog(choices: LogChoices, openAs: OpenAs): AdoptingLog {
  let format = choices.logFormat
  let log = open(choices, openAs)
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    reopen: () => log.reopen(),
    adopt: (next) => {
      if (next.logFormat !== format) {
        try {
          log = open(next, openAs)
          format = next.logFormat
        } catch (error) {
          // Its folder was moved away, and a reload must not end in that.
          tellNotReopened(String(next.logFile), error)
        }
      }
      log.level = next.logLevel
    },
  }
}

function open({ logLevel, logFormat, logFile }: LogChoices, openAs: OpenAs): Log {
  return createLog({ level: logLevel, format: logFormat, file: logFile, name: 'tsgi', openAs })
}
