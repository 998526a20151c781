/** The type of `tsgi.config.ts`, read off the table. Types and one function: applications import it, and nothing with it. */

import type { Kind } from './kinds.ts'
import type { OPTIONS, OptionKey } from './table.ts'

type CamelCase<Text extends string> = Text extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Text

type ConfigKey<Key extends OptionKey> = (typeof OPTIONS)[Key] extends { readonly notInFile: true }
  ? never
  : (typeof OPTIONS)[Key]['flag'] extends `--${infer Name}`
    ? CamelCase<Name>
    : never

/** What `tsgi.config.ts` exports. Keys are the flags in camelCase; durations are seconds or `'500ms'`, sizes bytes or `'64k'`. */
export type Config = {
  readonly [Key in OptionKey as ConfigKey<Key>]?: (typeof OPTIONS)[Key]['kind'] extends Kind<infer _Out, infer In>
    ? In
    : never
}

/** Gives a configuration file its types; returns what it is given. */
export function defineConfig(config: Config): Config {
  return config
}
