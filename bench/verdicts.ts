/** What was wanted, and what was measured. */

import type { Figure, Measure } from './contender.ts'
import type { Measured } from './measure.ts'
import { medianRatio } from './statistics.ts'

export interface Verdict {
  readonly figure: Figure
  /** Undefined where one of the two did not run. */
  readonly measured: number | undefined
  readonly met: boolean | undefined
}

export function ratioOf(results: readonly Measured[], subject: string, against: string, measure: Measure) {
  const ours = samplesOf(results, subject, measure)
  const theirs = samplesOf(results, against, measure)
  return ours.length === 0 || theirs.length === 0 ? undefined : medianRatio(ours, theirs)
}

/** @param nodeVersion `20.20.2`: figures about other versions are left out */
export function judge(figures: readonly Figure[], results: readonly Measured[], nodeVersion: string): Verdict[] {
  const major = Number.parseInt(nodeVersion, 10)
  return figures
    .filter(({ nodes }) => nodes === undefined || nodes.includes(major))
    .map((figure) => {
      const measured = ratioOf(results, figure.subject, figure.against, figure.measure)
      if (measured === undefined) return { figure, measured, met: undefined }
      return {
        figure,
        measured,
        met: figure.bound === 'at least' ? measured >= figure.ratio : measured <= figure.ratio,
      }
    })
}

/** `tsgi, uwsgi against node:http, requests/s: wanted at least 2.2x, measured 2.43x` */
export function verdictLine({ figure, measured, met }: Verdict, results: readonly Measured[]): string {
  const label = (id: string): string => results.find(({ contender }) => contender.id === id)?.contender.label ?? id
  const what = figure.measure === 'cpuUs' ? 'CPU/request' : 'requests/s'
  const outcome = measured === undefined ? 'not measured' : `measured ${measured.toFixed(2)}x`
  const sign = met === undefined ? '-' : met ? 'ok' : 'NO'
  return `${sign.padEnd(3)}${what} of ${label(figure.subject)} against ${label(figure.against)}: wanted ${figure.bound} ${figure.ratio}x, ${outcome}`
}

const samplesOf = (results: readonly Measured[], id: string, measure: Measure): number[] =>
  results.find(({ contender }) => contender.id === id)?.samples.map((sample) => sample[measure]) ?? []
