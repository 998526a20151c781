/** The table as a list, for code that goes through all of it. */

import type { OptionRow } from './row.ts'
import { OPTIONS, type OptionKey } from './table.ts'

/** A row seen without its types, for code that goes through the whole table. */
export interface AnyOption extends OptionRow<`--${string}`, unknown, unknown> {
  readonly key: OptionKey
  /** `gracefulTimeout`: the key in a configuration file. */
  readonly configKey: string
  /** `TSGI_GRACEFUL_TIMEOUT` */
  readonly variable: string
}

export const OPTION_LIST: readonly AnyOption[] = Object.entries(OPTIONS).map(([key, row]) => {
  const name = row.flag.slice('--'.length)
  return {
    ...row,
    // Object.entries forgets that its keys are those of the literal above.
    key: key as OptionKey,
    configKey: name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    variable: `TSGI_${name.toUpperCase().replaceAll('-', '_')}`,
  }
})

/** Variables of ours that are no options. Those that begin with TSGI_TEST_ are for tsgi's own tests, and not looked at. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  TSGI_ACCEPT: 'auto, fast or documented: forces one way of accepting connections, for tests.',
}
