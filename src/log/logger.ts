/** The process log: one JSON object a line, or readable lines on a terminal. Written synchronously, so the last line before a death is there. */

import { createRequire } from 'node:module'
import pino, { type DestinationStream, type LevelWithSilent, type Logger } from 'pino'
import { errorFields } from './error-fields.ts'
import { openSink, reopenSink } from './sink.ts'

export type LogLevel = LevelWithSilent

interface LogOptions {
  readonly level: LogLevel
  /** `auto`: readable where standard error is a terminal and NODE_ENV is not `production`, else JSON. */
  readonly format: 'auto' | 'json' | 'pretty'
  /** Appended to; standard error without it. */
  readonly file?: string | undefined
  /** Who speaks: `tsgi`, `tsgi worker 1`. */
  readonly name: string
  /** Runs what opens the file, with the rights that it is to be opened with. */
  readonly openAs?: OpenAs
}

export type OpenAs = <Opened>(open: () => Opened) => Opened

/**
 * A pino logger; `reopen` follows a log file that was moved away (SIGUSR1) and does nothing on standard error. What keeps it
 * from doing so is told and returned, and the lines go on to the file that was open.
 */
export type Log = Logger & { reopen(): Error | undefined }

/**
 * What a log line must never show, wherever an object that holds it is logged: credentials, and an environ whole, which
 * holds them.
 */
const SECRET_KEYS = [
  'environ',
  'cookie',
  'authorization',
  'password',
  'HTTP_COOKIE',
  'HTTP_AUTHORIZATION',
  'HTTP_PROXY_AUTHORIZATION',
  'headers.cookie',
  'headers.authorization',
  'headers["set-cookie"]',
  'headers["proxy-authorization"]',
]

const STDERR_FD = 2

/** @throws TsgiError TSGI_USAGE where the file cannot be opened */
export function createLog(options: LogOptions): Log {
  const { file, openAs = (open) => open() } = options
  const sink = openAs(() => openSink(file ?? STDERR_FD))
  const destination: DestinationStream = isPretty(options) ? prettyDestination(sink, options) : sink
  const logger = pino(
    {
      level: options.level,
      name: options.name,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: errorFields },
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
    },
    destination,
  )
  return Object.assign(logger, {
    reopen: () => (file === undefined ? undefined : openAs(() => reopenSink(sink, file))),
  })
}

function isPretty({ format, file }: LogOptions): boolean {
  if (format !== 'auto') return format === 'pretty'
  return file === undefined && process.stderr.isTTY === true && process.env['NODE_ENV'] !== 'production'
}

/** Where somebody reads along: 29 files that no service needs. CommonJS, of the types that it declares. */
const loadPretty = (): typeof import('pino-pretty') => createRequire(import.meta.url)('pino-pretty')

/** Fields that the message says in words. */
const SAID = 'slot,generation,workerPid,workers,listeners,signal,exitCode,bootMs'

/** In this process and this turn: pino-pretty's own stream would lose the lines before a process.exit. */
function prettyDestination(sink: DestinationStream, { file }: LogOptions): DestinationStream {
  // Asked of Node, which knows NO_COLOR and TERM=dumb.
  const colorize = file === undefined && process.stderr.isTTY === true && process.stderr.hasColors()
  const prettify = loadPretty().prettyFactory({
    colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: `pid,hostname,${SAID}`,
    singleLine: true,
    // What an application puts into a message cannot look like a line of its own.
    messageFormat: (record, key) => String(record[key]).replaceAll('\n', '\n    '),
  })
  return { write: (line) => sink.write(prettify(line)) }
}
