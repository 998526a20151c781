/** From what the command line said to `Options`: finds the configuration file, then parses everything together. */

import { readConfigFile } from './config-file.ts'
import { parseOptions, type RawSources } from './parse.ts'
import type { Parsed } from './parsed.ts'

export type LoadInput = Omit<RawSources, 'file'>

export interface Loaded extends Parsed {
  /** Absolute; undefined when there is none. */
  readonly configPath: string | undefined
}

/** Reads everything anew at each call: a reload calls it again with the same input. @throws TsgiError TSGI_USAGE */
export async function loadOptions(input: LoadInput): Promise<Loaded> {
  const given = input.flags.get('config') ?? input.environment['TSGI_CONFIG']
  const file = await readConfigFile(typeof given === 'string' && given !== '' ? given : undefined, input.cwd)
  const parsed = parseOptions(file === undefined ? input : { ...input, file })
  const options = { ...parsed.options, config: file?.path }
  return { ...parsed, options, configPath: file?.path }
}
