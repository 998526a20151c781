/** Whoever answers the requests, and what of it is compared with whom. */

import type { Front } from './front.ts'
import type { Launch } from './run.ts'
import type { Settings } from './settings.ts'

export interface Contender {
  /** Stable, for `--only`, for the figures and for the JSON file. */
  readonly id: string
  /** For people. */
  readonly label: string
  readonly kind: 'tsgi' | 'peer' | 'floor'
  /** How nginx talks to it. */
  readonly front: Front
  /** The contender that its ratios are against. */
  readonly against?: string
  /** Makes ready what it needs; a text where this machine cannot have it, and why. */
  readonly prepare: (place: Place) => Launch | Absent | Promise<Launch | Absent>
}

export interface Absent {
  readonly absent: string
}

/** Where a contender is to run. */
export interface Place {
  /** Of the contender. */
  readonly id: string
  /** Its own, empty. */
  readonly directory: string
  /** The Unix socket that it is to listen on. */
  readonly socket: string
  readonly settings: Settings
}

/** What somebody was promised: a ratio of two contenders' medians, at least or at most so much. */
export interface Figure {
  readonly subject: string
  readonly against: string
  readonly measure: Measure
  readonly bound: 'at least' | 'at most'
  readonly ratio: number
  /** Major versions of Node that it is about; all without. */
  readonly nodes?: readonly number[]
}

export type Measure = 'requestsPerSecond' | 'cpuUs'

export interface Group {
  readonly title: string
  readonly contenders: (settings: Settings) => readonly Contender[]
  readonly figures: readonly Figure[]
}
