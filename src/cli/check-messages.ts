/** What `tsgi check --request` and the process that asks the application say to each other. */

import { z } from 'zod/v3'
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

const texts = z.array(z.string())

const request: z.ZodType<CheckedRequest> = z.strictObject({
  path: z.string(),
  status: z.string(),
  bytes: z.number(),
  durationMs: z.number(),
  problems: texts,
  warnings: texts,
})

const order: z.ZodType<CheckOrder> = z.strictObject({
  application: z.string(),
  options: z.record(z.string(), z.unknown()),
  paths: texts,
})

const answer: z.ZodType<CheckAnswer> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('done'), requests: z.array(request) }),
  z.strictObject({ kind: z.literal('failed'), message: z.string() }),
])

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseCheckOrder = checked('tsgi check', order)

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseCheckAnswer = checked('the process that asks the application', answer)
