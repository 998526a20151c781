/** What is found out before anything starts, although nothing but a worker uses it: rules for `loadOptions`. */

import { statSync } from 'node:fs'
import { asError } from '../errors.ts'
import { compileAccessFormat } from '../log/access-format.ts'
import type { Parsed } from '../options/parsed.ts'

export const START_RULES: readonly ((parsed: Parsed) => string[])[] = [accessLogCompiles, chdirIsFolder]

function accessLogCompiles({ options, sources }: Parsed): string[] {
  if (options.accessLog === 'off') return []
  try {
    compileAccessFormat(options.accessLog)
    return []
  } catch (error) {
    return [`${sources.accessLog.name}: ${asError(error).message}`]
  }
}

function chdirIsFolder({ options, sources }: Parsed): string[] {
  const { chdir } = options
  if (chdir === undefined) return []
  try {
    const found = statSync(chdir, { throwIfNoEntry: false })
    if (found?.isDirectory()) return []
    return [`${sources.chdir.name}: ${found === undefined ? `there is no folder ${chdir}` : `${chdir} is no folder`}`]
  } catch (error) {
    return [`${sources.chdir.name}: ${asError(error).message}`]
  }
}
