/** One row of the option table, and short ways to write the rows that are alike. */

import { address, duration, type Kind, list } from './kinds.ts'

/** In the order in which help shows them. */
export const SECTIONS = [
  'Listeners',
  'Sockets',
  'Application',
  'Workers',
  'Timeouts',
  'Limits',
  'Operations',
  'Logs',
  'Development',
] as const

export type Section = (typeof SECTIONS)[number]

export interface OptionRow<Flag extends `--${string}`, Out, In> {
  readonly flag: Flag
  readonly section: Section
  readonly kind: Kind<Out, In>
  /** As an operator would write it; read by `kind` as any other. Without one, `kind.absent`. */
  readonly default?: NoInfer<In>
  /** Sentences; the first says what it does. */
  readonly help: string
  /** A SIGHUP takes the new value; otherwise it needs a restart. */
  readonly reload: boolean
  /** Shown in no help text: for `tsgi dev` and for tests. */
  readonly hidden?: true
  /** Makes no sense inside a configuration file. */
  readonly notInFile?: true
}

export const option = <const Flag extends `--${string}`, Out, In>(
  row: OptionRow<Flag, Out, In>,
): OptionRow<Flag, Out, In> => row

export const listener = <const Flag extends `--${string}`>(flagName: Flag, help: string) =>
  option({ flag: flagName, section: 'Listeners', kind: list(address), help, reload: true })

export const seconds = <const Flag extends `--${string}`>(flagName: Flag, value: string, help: string) =>
  option({ flag: flagName, section: 'Timeouts', kind: duration, default: value, help, reload: true })
