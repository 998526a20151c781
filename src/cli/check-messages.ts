/** What `tsgi check --request` and the process that asks the application say to each other. */

import * as v from 'valibot'
import { checked } from '../message-schemas.ts'

export interface CheckOrder {
  readonly application: string
  /** As parsed. */
  readonly options: Readonly<Record<string, unknown>>
  readonly paths: readonly string[]
}

export interface CheckedRequest {
  readonly path: string
  /** `200 OK`; empty when no response came. */
  readonly status: string
  readonly bytes: number
  readonly durationMs: number
  /** Rules of the interface that were broken, by either side, and errors. */
  readonly problems: readonly string[]
  /** Allowed, and most likely not meant. */
  readonly warnings: readonly string[]
}

export type CheckAnswer =
  | { readonly kind: 'done'; readonly requests: readonly CheckedRequest[] }
  | { readonly kind: 'failed'; readonly message: string }

const texts = v.array(v.string())

const request: v.GenericSchema<CheckedRequest> = v.strictObject({
  path: v.string(),
  status: v.string(),
  bytes: v.number(),
  durationMs: v.number(),
  problems: texts,
  warnings: texts,
})

const order: v.GenericSchema<CheckOrder> = v.strictObject({
  application: v.string(),
  options: v.record(v.string(), v.unknown()),
  paths: texts,
})

const answer: v.GenericSchema<CheckAnswer> = v.variant('kind', [
  v.strictObject({ kind: v.literal('done'), requests: v.array(request) }),
  v.strictObject({ kind: v.literal('failed'), message: v.string() }),
])

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseCheckOrder = checked('tsgi check', order)

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseCheckAnswer = checked('the process that asks the application', answer)
