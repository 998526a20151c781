/** The messages of messages.ts as checks: what arrives from another process is read through one of these. */

import * as v from 'valibot'
import { describe, TsgiError } from './errors.ts'
import type { MasterMessage, SocketMessage, WorkerBoot, WorkerMessage } from './messages.ts'

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const amount = v.pipe(v.number(), v.finite(), v.minValue(0))

/** Measurements: one that is off is no reason to end a worker that serves. */
const measured = v.union([v.number(), v.nan()])

const tick = v.strictObject({
  connections: measured,
  requestsInFlight: measured,
  requestsTotal: measured,
  oldestRequestMs: measured,
  rssBytes: measured,
  eventLoopUtilization: measured,
  counters: v.array(measured),
})

const workerMessage: v.GenericSchema<WorkerMessage> = v.variant('kind', [
  v.strictObject({ kind: v.literal('want-sockets') }),
  v.strictObject({ kind: v.literal('ready'), bootMs: amount, interface: v.string() }),
  v.strictObject({
    kind: v.literal('failed'),
    exitCode: v.pipe(count, v.maxValue(255)),
    message: v.string(),
    stack: v.string(),
  }),
  v.strictObject({ kind: v.literal('tick'), tick }),
  v.strictObject({ kind: v.literal('retire'), why: v.string() }),
  v.strictObject({ kind: v.literal('bye') }),
])

const boot: v.GenericSchema<WorkerBoot> = v.strictObject({
  slot: v.pipe(count, v.minValue(1)),
  generation: v.pipe(count, v.minValue(1)),
  application: v.string(),
  options: v.record(v.string(), v.unknown()),
  tls: v.optional(
    v.strictObject({ cert: v.string(), key: v.string(), ticketKeys: v.string(), clientCa: v.optional(v.string()) }),
  ),
  listeners: v.array(
    v.strictObject({
      protocol: v.picklist(['uwsgi', 'fastcgi', 'scgi', 'http', 'any']),
      address: v.string(),
      transport: v.picklist(['unix', 'tcp']),
    }),
  ),
})

const masterMessage: v.GenericSchema<MasterMessage> = v.variant('kind', [
  v.strictObject({ kind: v.literal('boot'), boot }),
  v.strictObject({ kind: v.literal('drain'), graceMs: amount, why: v.string(), last: v.boolean() }),
  v.strictObject({ kind: v.literal('shed'), requestsPerSecond: amount }),
  v.strictObject({ kind: v.literal('quit'), why: v.string() }),
  v.strictObject({ kind: v.literal('reopen-logs') }),
])

const socketMessage: v.GenericSchema<SocketMessage> = v.union([
  v.strictObject({ listener: count }),
  v.strictObject({
    connection: v.strictObject({
      address: v.string(),
      transport: v.picklist(['unix', 'tcp']),
      highestId: count,
      requestsPerSecond: amount,
    }),
  }),
])

/** What came over Node's own channel; undefined: not ours, but an application's. */
export function parseSocketMessage(message: unknown): SocketMessage | undefined {
  const read = v.safeParse(socketMessage, message)
  return read.success ? read.output : undefined
}

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseWorkerMessage = checked('a worker', workerMessage)

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseMasterMessage = checked('the master', masterMessage)

/** A reader that names what was wrong in one line. */
export function checked<T>(who: string, schema: v.GenericSchema<T>): (value: unknown) => T {
  return (value) => {
    const read = v.safeParse(schema, value)
    if (read.success) return read.output
    throw new TsgiError(
      'TSGI_PROTOCOL_MALFORMED',
      `${who} sent an unknown message: ${read.issues.map(inWords).join('; ')}`,
    )
  }
}

function inWords(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue) ?? 'it'
  return issue.expected === null
    ? `${place}: ${issue.message}`
    : `${place}: expected ${issue.expected}, not ${describe(issue.input)}`
}
