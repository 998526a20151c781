import type { Gateway } from '../gateway.ts'

/** One case of the conformance list, run over every row. */
export interface Case {
  /** Begins with its number. */
  readonly name: string
  readonly run: (gateway: Gateway) => Promise<void>
}
