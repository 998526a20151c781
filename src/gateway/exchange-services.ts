/** What an exchange asks of whoever runs it, and tells. */

import type { TsgiError } from '../errors.ts'
import type { EnvironSettings, ExchangeKeys } from './environ.ts'

/** What a worker gives to every exchange. */
export interface ExchangeServices<Exchange> {
  readonly environ: EnvironSettings
  /** 0: no limit */
  readonly maxBodyBytes: number
  readonly closeTimeoutMs: number
  /** Keys that the worker adds to every environ: `tsgi.file_wrapper`, `tsgi.state`. */
  readonly extensions: ExchangeKeys['extensions']
  /** Bytes of a file body as far as they are known before it is read; undefined for every other body. */
  fileSize(body: unknown): Promise<number | undefined> | undefined
  /** The application failed: once per failure, with the stack. */
  applicationError(exchange: Exchange, error: unknown): void
  /** The request was answered in the application's place: what front servers and clients send wrong, as often as they like. */
  refused(exchange: Exchange, error: TsgiError): void
  /** Worth a line, but the response is as it should be: a cut body, an error while closing. */
  warn(exchange: Exchange, message: string, error?: unknown): void
  errorLine(exchange: Exchange, line: string): void
  /** The response is out, the body is closed, the callbacks ran. Called once. */
  done(exchange: Exchange): void
  /** The application, which was still at work when its request was done, is no more. */
  left(exchange: Exchange): void
}
