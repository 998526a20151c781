/** The public API of tsgi: re-exports only. */

export type * from './application.ts'
export { ERRORS, type ErrorCode, type ErrorKind, TsgiError } from './errors.ts'
export { type Config, defineConfig } from './options/table.ts'
