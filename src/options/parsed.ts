/** What parsing gives: the options, and where each value came from. */

import type { OptionKey, Options } from './table.ts'

/** Where an effective value came from. `name` is what the operator would look for there. */
export interface Source {
  readonly kind: 'flag' | 'variable' | 'preset' | 'file' | 'default'
  /** `--workers`, `TSGI_WORKERS`, `tsgi dev`, `workers in /srv/tsgi.config.ts`, `default` */
  readonly name: string
}

type Sources = Readonly<Record<OptionKey, Source>>

export interface Parsed {
  readonly options: Options
  readonly sources: Sources
}
