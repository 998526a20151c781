/** What is said over the control socket: one command a connection, then progress, then one outcome. Framed as channel.ts says. */

import { z } from 'zod/v3'
import { checked } from '../message-schemas.ts'
import { MAX_WORKERS } from '../options/kinds.ts'

interface CommandRow {
  /** As help shows it. */
  readonly argument?: string
  readonly help: string
  /** `debug` for what changes nothing: monitoring asks it every few seconds. */
  readonly logLevel: 'info' | 'debug'
}

const table = <Name extends string>(rows: Record<Name, CommandRow>): Readonly<Record<Name, CommandRow>> => rows

/** Every command once; `tsgi ctl --help` and the docs are made from this. */
export const CONTROL_COMMANDS = table({
  status: { help: 'What the master is doing: pid, generation, workers, listeners, requests.', logLevel: 'debug' },
  workers: { help: 'One row a worker: pid, phase, age, requests, memory, load.', logLevel: 'debug' },
  reload: {
    help: 'Reload the application, wait for the outcome, and fail with its message and stack if it did not load.',
    logLevel: 'info',
  },
  stop: { help: 'Stop gracefully, and wait until the last worker has left.', logLevel: 'info' },
  scale: { argument: 'N', help: 'Run N workers.', logLevel: 'info' },
  'reopen-logs': { help: 'Open the log files again.', logLevel: 'info' },
  ping: { help: 'Ask whether the master answers.', logLevel: 'debug' },
})

export type ControlCommandName = keyof typeof CONTROL_COMMANDS

export type ControlCommand =
  | { readonly command: Exclude<ControlCommandName, 'scale'> }
  | { readonly command: 'scale'; readonly workers: number }

export type ControlOutcome =
  | { readonly kind: 'ok'; readonly result: Readonly<Record<string, unknown>> }
  /** `stack` is the application's own, or empty. `exitCode` is what `tsgi ctl` ends with. */
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string; readonly exitCode: number }

export type ControlReply = { readonly kind: 'progress'; readonly text: string } | ControlOutcome

const command: z.ZodType<ControlCommand> = z.discriminatedUnion('command', [
  z.strictObject({ command: z.enum(['status', 'workers', 'reload', 'stop', 'reopen-logs', 'ping']) }),
  z.strictObject({ command: z.literal('scale'), workers: z.number().int().min(1).max(MAX_WORKERS) }),
])

const reply: z.ZodType<ControlReply> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('progress'), text: z.string() }),
  z.strictObject({ kind: z.literal('ok'), result: z.record(z.string(), z.unknown()) }),
  z.strictObject({
    kind: z.literal('failed'),
    message: z.string(),
    stack: z.string(),
    exitCode: z.number().int().min(1).max(255),
  }),
])

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseControlCommand = checked('a control client', command)

/** @throws TsgiError TSGI_PROTOCOL_MALFORMED */
export const parseControlReply = checked('the master', reply)
