/** The messages of messages.ts as checks: what arrives from another process is read through one of these. */

import { z } from 'zod/v3'
import { TsgiError } from './errors.ts'
import type { MasterMessage, SocketMessage, WorkerBoot, WorkerMessage } from './messages.ts'

const count = z.number().int().safe().nonnegative()
const amount = z.number().finite().nonnegative()

/** Measurements: one that is off is no reason to end a worker that serves. */
const measured = z.union([z.number(), z.nan()])

const tick = z.strictObject({
  connections: measured,
  requestsInFlight: measured,
  requestsTotal: measured,
  oldestRequestMs: measured,
  rssBytes: measured,
  eventLoopUtilization: measured,
  counters: z.array(measured),
})

const workerMessage: z.ZodType<WorkerMessage> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('want-sockets') }),
  z.strictObject({ kind: z.literal('ready'), bootMs: amount, interface: z.string() }),
  z.strictObject({ kind: z.literal('failed'), exitCode: count.max(255), message: z.string(), stack: z.string() }),
  z.strictObject({ kind: z.literal('tick'), tick }),
  z.strictObject({ kind: z.literal('retire'), why: z.string() }),
  z.strictObject({ kind: z.literal('bye') }),
])

const boot: z.ZodType<WorkerBoot> = z.strictObject({
  slot: count.min(1),
  generation: count.min(1),
  application: z.string(),
  options: z.record(z.string(), z.unknown()),
  tls: z
    .strictObject({ cert: z.string(), key: z.string(), ticketKeys: z.string(), clientCa: z.string().optional() })
    .optional(),
  listeners: z.array(
    z.strictObject({
      protocol: z.enum(['uwsgi', 'fastcgi', 'scgi', 'http', 'any']),
      address: z.string(),
      transport: z.enum(['unix', 'tcp']),
    }),
  ),
})

const masterMessage: z.ZodType<MasterMessage> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('boot'), boot }),
  z.strictObject({ kind: z.literal('drain'), graceMs: amount, why: z.string(), last: z.boolean() }),
  z.strictObject({ kind: z.literal('sockets-closed') }),
  z.strictObject({ kind: z.literal('shed'), requestsPerSecond: amount }),
  z.strictObject({ kind: z.literal('quit'), why: z.string() }),
  z.strictObject({ kind: z.literal('reopen-logs') }),
])

const socketMessage: z.ZodType<SocketMessage> = z.union([
  z.strictObject({ listener: count, last: z.boolean() }),
  z.strictObject({
    connection: z.strictObject({
      address: z.string(),
      transport: z.enum(['unix', 'tcp']),
      highestId: count,
      requestsPerSecond: amount,
    }),
  }),
  z.strictObject({ arrived: z.literal(true) }),
])

/** What came over Node's own channel; undefined: not ours, but an application's. */
export function parseSocketMessage(message: unknown): SocketMessage | undefined {
  return socketMessage.safeParse(message).data
}

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseWorkerMessage = checked('a worker', workerMessage)

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseMasterMessage = checked('the master', masterMessage)

/** A reader that names what was wrong in one line. */
export function checked<T>(who: string, schema: z.ZodType<T>): (value: unknown) => T {
  return (value) => {
    const read = schema.safeParse(value)
    if (read.success) return read.data
    const faults = read.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`)
    throw new TsgiError('TSGI_PROTOCOL_MALFORMED', `${who} sent an unknown message: ${faults.join('; ')}`)
  }
}
