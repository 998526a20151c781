/** What a reload takes from options that were read again, and what needs a restart (`reload` in the table). */

import { isDeepStrictEqual } from 'node:util'
import { type AnyOption, OPTION_LIST } from './option-list.ts'
import type { Options } from './table.ts'

export interface Reloaded {
  /** The new values, save those that only a restart can change: these are as before. */
  readonly options: Options
  /** What was changed and waits for a restart. */
  readonly needRestart: readonly Pick<AnyOption, 'flag' | 'configKey'>[]
}

export function reloadOptions(before: Options, after: Options): Reloaded {
  const kept = OPTION_LIST.filter(({ key, reload }) => !reload && !isDeepStrictEqual(before[key], after[key]))
  const old = Object.fromEntries(kept.map(({ key }) => [key, before[key]]))
  return { options: { ...after, ...old }, needRestart: kept }
}
